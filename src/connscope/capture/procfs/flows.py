"""UDP flows beside what /proc says, for a process that may hear conntrack."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from connscope.capture.broadcasts import Broadcasts
from connscope.capture.conntrack.home import ConntrackHome
from connscope.capture.conntrack.watch import ConntrackWatch
from connscope.capture.homes import NamespaceHomes
from connscope.capture.tier import BATCH_ROWS
from connscope.errors import KernelError
from connscope.kernel.host.capabilities import missing_capabilities
from connscope.kernel.host.clock import boottime_ns
from connscope.kernel.resource import Resource
from connscope.row.columns import ROW, Rows, lost_row
from connscope.row.words import Tier

__all__ = ("FlowsToo",)

ROUNDS = 256  # more than any receive buffer holds


class FlowsToo(Resource):
    """Hears of flows in all network namespaces that may be entered, our own at least.

    Args:
        receive_bytes: so much may wait in each.
        broadcasts: those of the tier.

    Attributes:
        lost: how many messages found no room.
    """

    def __init__(self, receive_bytes: int, broadcasts: Broadcasts) -> None:
        def make(inode: int) -> ConntrackHome:
            home = ConntrackHome(inode, receive_bytes)
            home.complete()
            return home

        self._watch, self._broadcasts = ConntrackWatch(Tier.PROCFS), broadcasts
        self._waiting = np.empty(0, ROW)
        self._homes: NamespaceHomes[ConntrackHome] | None = None
        self._refusal = ""
        self.lost = self._lost_untold = 0
        try:
            self._homes = NamespaceHomes(make, "conntrack")
        except (KernelError, OSError) as error:
            self._refusal = str(error)

    @property
    def is_open(self) -> bool:
        """Whether any namespace is heard."""
        return any(home.is_open for home in self._homes or ())

    @property
    def limits(self) -> list[str]:
        """What can not be seen, a sentence each."""
        if self._homes is None:
            return [f"short UDP flows are not seen: {self._refusal}"]
        said = self._watch.limits(list(self._homes))
        if missing_capabilities(("CAP_SYS_ADMIN",)):
            said.append(
                "UDP flows of other network namespaces are not seen: CAP_SYS_ADMIN is missing"
            )
        elif self._homes.refused:
            said.append(
                f"UDP flows of {self._homes.refused} network namespaces are not seen: they could "
                "not be entered"
            )
        return said

    def look(self, sockets: Rows) -> Rows:
        """The sockets of a look, with the flows that there are.

        Raises:
            FailedError: what conntrack says can not be read.
        """
        if self._homes is None:
            return sockets
        with suppress(OSError):  # without /proc nothing new is found
            for ended in self._homes.refresh():
                with ended:
                    self._hear_all(ended)
        return self._watch.look(list(self._homes), sockets)

    def _hear_all(self, home: ConntrackHome) -> None:
        for _ in range(ROUNDS):
            if self._hear(home) < BATCH_ROWS:
                return

    def _hear(self, home: ConntrackHome) -> int:
        rows, heard = self._watch.hear(home)
        self._lost_untold += self._watch.take_dropped()
        self._broadcasts.mark(rows)
        self._waiting = np.concatenate((self._waiting, rows))
        return heard

    def wait(self, timeout_s: float | None) -> bool:
        """Waits until there are events; False when the time is over."""
        if len(self._waiting):
            return True
        return self._homes is not None and self._homes.wait(timeout_s)

    def events(self) -> Rows:
        """Flows that have begun or ended, see `CaptureTier.events`.

        Raises:
            FailedError: what conntrack says can not be read.
        """
        if len(self._waiting) < BATCH_ROWS:
            for home in self._homes or ():
                self._hear(home)
        if self._lost_untold:
            missing = lost_row(self._lost_untold, boottime_ns(), Tier.PROCFS)
            self._waiting = np.concatenate((missing, self._waiting))
            self.lost += self._lost_untold
            self._lost_untold = 0
        rows, self._waiting = self._waiting[:BATCH_ROWS], self._waiting[BATCH_ROWS:]
        return rows

    def close(self) -> None:
        """Hears no more; ends a wait of another thread; a second call does nothing."""
        if self._homes:
            self._homes.close()
