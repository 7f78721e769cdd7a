"""What conntrack tells of one network namespace."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from connscope.capture.conntrack.addresses import OwnAddresses
from connscope.capture.conntrack.rows import Moment, flow_rows
from connscope.capture.homes import NamespaceHome
from connscope.errors import FailedError, KernelError, NotSupportedError
from connscope.kernel.host.clock import boottime_ns, wall_minus_boottime_ns
from connscope.kernel.host.conntrack import UdpTimeouts, is_conntrack_loaded, read_udp_timeouts
from connscope.kernel.netlink.conntrack_messages import Flows
from connscope.kernel.netlink.conntrack_socket import ConntrackDump, ConntrackNews
from connscope.kernel.netlink.route_socket import ROUTE, LocalRoutes
from connscope.row.columns import ROW, Rows
from connscope.row.words import Role

__all__ = ("ConntrackHome",)

AreKnown = Callable[[npt.NDArray[np.uint64]], npt.NDArray[np.bool_]]

FEATURE = "conntrack"
ADDRESSES_REST_S = 0.1
"""Where much is passed on, addresses are read no more often for it."""


class _Sockets:
    """Those that conntrack is asked by, in the namespace in which the thread is."""

    def __init__(self, receive_bytes: int) -> None:
        if not is_conntrack_loaded():
            raise NotSupportedError(FEATURE, "nf_conntrack is not loaded, as no rule needs it")
        self.dump = ConntrackDump()
        try:
            self.routes = LocalRoutes()
            self.news = ConntrackNews(receive_bytes)
            self.dump.count()  # only now we know that it may be asked
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        for name in ("dump", "routes", "news"):
            if opened := vars(self).get(name):
                opened.close()


class ConntrackHome(NamespaceHome):
    """Hears of the UDP flows of one network namespace, if conntrack is there.

    Args:
        inode: of the namespace.
        receive_bytes: so much may wait; 0: nobody wants any.

    Attributes:
        refusal: why it is not heard; None if it is, or nobody wants it.
        has_flows: some have been told.
        counts: the last of them came with their bytes.
        look_failure: why the last look did not show them; None if it did.
    """

    def __init__(self, inode: int, receive_bytes: int) -> None:
        super().__init__(inode)
        self._receive_bytes = receive_bytes
        self._sockets: _Sockets | None = None
        self._timeouts = UdpTimeouts()
        self._own = OwnAddresses(np.empty(0, ROUTE))
        self._own_due_s = 0.0
        self.refusal: KernelError | None = None
        self.has_flows = False
        self.counts = True
        self.look_failure: KernelError | None = None

    def complete(self) -> None:
        """Hears of flows from now on; the thread is in the namespace. Where it can not, it says
        why in `refusal`."""
        if not self._receive_bytes or self._sockets:
            return
        self.refusal, self._timeouts = None, read_udp_timeouts()
        try:
            self._sockets = _Sockets(self._receive_bytes)
        except KernelError as error:
            self.refusal = error

    def lacks_something(self) -> bool:
        """Whether nf_conntrack has come since, or is there and what was tried has failed."""
        is_worth_it = isinstance(self.refusal, NotSupportedError | FailedError)
        return is_worth_it and is_conntrack_loaded()

    def filenos(self) -> tuple[int, ...]:
        """The socket of the news."""
        return (self._sockets.news.fileno(),) if self._sockets else ()

    @property
    def is_open(self) -> bool:
        """Whether flows are heard of."""
        return self._sockets is not None

    @property
    def follows(self) -> bool:
        """Whether conntrack has followed anything here, of any protocol."""
        if self._sockets and not self.has_flows:
            try:
                return self._sockets.dump.count() > 0
            except KernelError:
                return False
        return self.has_flows

    def hear(self, most: int, are_known: AreKnown | None = None) -> tuple[Rows, int, int]:
        """Rows of flows that have begun or ended, of so many messages at most; how many came, and
        how many found no room.

        Args:
            most: so many.
            are_known: as of `flow_rows`.

        Raises:
            FailedError: what came can not be read.
        """
        if not self._sockets:
            return np.empty(0, ROW), 0, 0
        flows = self._sockets.news.read(most)
        if len(gone := flows[flows["is_gone"]]):
            self.counts = bool(gone["has_counters"][-1])
        rows = self._rows(flows, are_known, is_news=True)
        return rows, len(flows), self._sockets.news.dropped()

    def look(self, are_known: AreKnown | None = None) -> Rows:
        """Rows of the flows that there are; where conntrack does not answer `look_failure` says
        why."""
        self.look_failure = None
        if not self._sockets:
            return np.empty(0, ROW)
        try:
            flows = self._sockets.dump.read()
        except KernelError as error:
            self.look_failure = error
            return np.empty(0, ROW)
        if len(flows):
            self.counts = bool(flows["has_counters"].all())
        self._read_addresses()
        return self._rows(flows, are_known, is_news=False)

    def _rows(self, flows: Flows, are_known: AreKnown | None, *, is_news: bool) -> Rows:
        if not len(flows):
            return np.empty(0, ROW)
        self.has_flows = True
        moment = Moment(boottime_ns(), wall_minus_boottime_ns())
        if self._has_strangers(flows) and time.monotonic() >= self._own_due_s:
            self._read_addresses()
            self._own_due_s = time.monotonic() + ADDRESSES_REST_S
        return flow_rows(
            flows,
            self._own,
            self.inode,
            moment,
            self._timeouts,
            is_news=is_news,
            are_known=are_known,
        )

    def _has_strangers(self, flows: Flows) -> bool:
        """Whether there are flows that are only passed on, or are of an address that is new."""
        own = self._own.has(flows["original_source"]) | self._own.has(flows["reply_source"])
        return not own.all()

    def _read_addresses(self) -> None:
        if self._sockets:
            try:
                self._own = OwnAddresses(self._sockets.routes.read())
            except FailedError:
                return  # those of the last time are as good as any

    def are_for_groups(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Which rows of flows are of the receiving end of what goes to many."""
        found: npt.NDArray[np.bool_] = ~self._own.has(rows["local_address"])
        found &= rows["role"] == Role.SERVER
        return found

    def close(self) -> None:
        """Hears no more; a second call does nothing."""
        if self._sockets:
            self._sockets.close()
