"""What every way of capture can do."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from connscope.kernel.resource import Resource
from connscope.row.columns import Rows
from connscope.row.words import Kind, Tier

__all__ = ("BATCH_ROWS", "CaptureTier", "Looker", "Losses", "OpenedTier")

BATCH_ROWS = 2048
"""What one call of `events` gives at most: 450 KB, and the text made of it stays in the cache."""


@dataclass(frozen=True, slots=True)
class Losses:
    """What went missing since the tier was opened, counted where it happened.

    Attributes:
        rows: events that found the ring full; each batch of events says so with a lost row.
        sockets: sockets that the kernel had no memory to remember; their events are missing.
        owners: accepted connections that have their listener's owner because a map was full.
        datagrams: those of UDP flows for which there was no room.
    """

    rows: int = 0
    sockets: int = 0
    owners: int = 0
    datagrams: int = 0

    def __add__(self, other: Losses) -> Losses:
        """Of both together."""
        return Losses(
            self.rows + other.rows,
            self.sockets + other.sockets,
            self.owners + other.owners,
            self.datagrams + other.datagrams,
        )


class Looker(Protocol):
    """What can tell which sockets there are."""

    @property
    def tier(self) -> Tier:
        """Which way of capture it belongs to."""

    @property
    def limits(self) -> tuple[str, ...]:
        """What it can not see here and now, a sentence each."""

    def look(self) -> Rows:
        """All open TCP sockets, connections and listeners, as rows of kind ``snapshot``.

        Each has its counters of this moment; none is less than the last look showed.

        Raises:
            KernelError: there is no looking here; events go on.
        """

    def minisockets(self) -> Rows:
        """What the kernel keeps of connections that are no sockets: SYN_RECV and TIME_WAIT.

        Their rows have ends and a state, and nothing else.
        """

    def close(self) -> None:
        """Stops, and leaves nothing behind."""


class CaptureTier(Looker, Protocol):
    """One way to capture. Used by one thread; `close` may come from any, twice is fine."""

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of rows that `events` can give."""

    def open(self) -> None:
        """Starts to capture.

        Raises:
            NotSupportedError: this machine can not do it.
            NotPermittedError: this process may not do it.
            FailedError: it was tried and failed.
        """

    def wait(self, timeout_s: float | None) -> bool:
        """Waits until there are events; False when the time is over."""

    @property
    def is_filling(self) -> bool:
        """Whether so much waits that some of it may soon be lost."""

    def events(self) -> Rows:
        """The rows since the last call, in order; a lost row stands where some are missing.

        `BATCH_ROWS` of them, or one more, mean that there may be more.
        """

    def losses(self) -> Losses:
        """What went missing so far."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class OpenedTier(Resource):
    """A tier is open inside of its ``with`` block."""

    @abstractmethod
    def open(self) -> None:
        """Starts to capture, see `CaptureTier.open`."""

    @abstractmethod
    def wait(self, timeout_s: float | None) -> bool:
        """Waits until there are events, see `CaptureTier.wait`."""

    @property
    def is_filling(self) -> bool:
        """Whoever does not know how much room is left says so as soon as anything waits."""
        return self.wait(0)

    def __enter__(self) -> Self:
        self.open()
        return self
