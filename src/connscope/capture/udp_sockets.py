"""UDP sockets beside the looks of a tier that has TCP's alone: sock_diag tells of them."""

from __future__ import annotations

import importlib

import numpy as np

from connscope.capture.tier import CaptureTier, Looker
from connscope.config import Config
from connscope.kernel.resource import Resource
from connscope.row.columns import Rows
from connscope.row.words import Protocol, Tier

__all__ = ("UdpSocketsToo",)


class UdpSocketsToo(Resource):
    """Looks with another looker, and adds each UDP socket of which that one shows no flow.

    Such a row has ends, an owner and no traffic; without a peer its state is ``close``.

    Args:
        inner: closed with it.
        config: as the netlink tier's.

    Raises:
        KernelError: sock_diag can not be had.
    """

    def __init__(self, inner: Looker, config: Config) -> None:
        self._inner = inner
        # Most lists are without UDP; then the other tier is not even imported.
        netlink = importlib.import_module(f"{__package__}.netlink.tier")
        self._sockets: CaptureTier = netlink.NetlinkTier(
            config, hears_news=False, protocols=(Protocol.UDP,)
        )
        try:
            self._sockets.open()
        except BaseException:
            self.close()
            raise

    @property
    def tier(self) -> Tier:
        """That of the other looker; what is added says ``netlink``."""
        return self._inner.tier

    @property
    def limits(self) -> tuple[str, ...]:
        """Of both."""
        return (*self._inner.limits, *self._sockets.limits)

    def look(self) -> Rows:
        """See `Looker.look`."""
        rows, sockets = self._inner.look(), self._sockets.look()
        counted = rows["socket_id"][rows["protocol"] == Protocol.UDP]
        return np.concatenate((rows, sockets[~np.isin(sockets["socket_id"], counted)]))

    def minisockets(self) -> Rows:
        """See `Looker.minisockets`: UDP has none."""
        return self._inner.minisockets()

    def close(self) -> None:
        """Stops; a second call does nothing."""
        self._sockets.close()
        self._inner.close()
