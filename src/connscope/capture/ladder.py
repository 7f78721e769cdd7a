"""The ways to capture, best first: the first that works here and sees a connection of its own."""

from __future__ import annotations

import importlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from connscope.capture.btf.look import SocketLook
from connscope.capture.changes import LookChanges
from connscope.capture.exclusion import refuse_excluded_kernel
from connscope.capture.tier import CaptureTier, Looker, Losses, OpenedTier
from connscope.capture.udp_sockets import UdpSocketsToo
from connscope.config import Config
from connscope.errors import FailedError, KernelError, NotSupportedError, UsageError
from connscope.row.columns import ROW, Rows
from connscope.row.words import Kind, Tier, word

__all__ = (
    "LADDER",
    "Ladder",
    "make_tier",
    "open_looker",
    "open_tested",
    "see_own_connection",
    "wanted_tiers",
)

Opened = TypeVar("Opened")

LADDER: Mapping[Tier, str] = {
    Tier.BTF: "btf.tier.BtfTier",
    Tier.KPROBE: "kprobe.tier.KprobeTier",
    Tier.NETLINK: "netlink.tier.NetlinkTier",
    Tier.PROCFS: "procfs.tier.ProcfsTier",
}
"""Where in this room each is. Only the ones that are tried are imported: to list sockets once takes
hardly longer than that."""

SELF_TEST_S = 2.0


class Ladder(OpenedTier):
    """Captures with the best tier that there is; to its caller it is a tier like any other.

    Args:
        config: `tier` forces one; the rest is for the tiers.
        require: none that is worse than this; None: any will do.
        udp_sockets: looks show UDP sockets too, also those of tiers that count flows.

    Attributes:
        refusals: why each better tier does not capture.
    """

    def __init__(
        self, config: Config, require: Tier | None = None, *, udp_sockets: bool = False
    ) -> None:
        self._config, self._require, self._udp_sockets = config, require, udp_sockets
        self._inner: CaptureTier | None = None
        self._looker: Looker | None = None
        self._changes: LookChanges | None = None
        self._early: Rows = np.empty(0, ROW)
        self.refusals: dict[Tier, KernelError] = {}

    @property
    def inner(self) -> CaptureTier:
        """The tier that captures."""
        if self._inner is None:
            raise RuntimeError("the ladder is not open")
        return self._inner

    @property
    def tier(self) -> Tier:
        """Which one that is."""
        return self.inner.tier

    @property
    def kinds(self) -> frozenset[Kind]:
        """What its events tell; what it can not tell itself is told from its looks."""
        return self.inner.kinds | {Kind.OPENED, Kind.CLOSED, Kind.LISTENING, Kind.UNLISTENED}

    @property
    def limits(self) -> tuple[str, ...]:
        """What it can not see here, a sentence each."""
        return self.inner.limits

    def open(self) -> None:
        """Tries one after the other; see `CaptureTier.open`.

        Raises:
            KernelError: none can be had, or not the one that was asked for; why the best one can
                not.
        """
        self._inner, self._early = _first_that_works(
            self._config,
            self._require,
            lambda tier: open_tested(tier, self._config),
            self.refusals,
        )
        if self._udp_sockets and self.tier in (Tier.BTF, Tier.KPROBE):
            self._looker = UdpSocketsToo(self._inner, self._config)
        if not {Kind.OPENED, Kind.LISTENING} <= self._inner.kinds:
            self._changes = LookChanges(self._inner, self._config.look_interval_s)

    def wait(self, timeout_s: float | None) -> bool:
        """Waits until there are events; False when the time is over."""
        if len(self._early):
            return True
        if not self._changes:
            return self.inner.wait(timeout_s)
        due_s = self._changes.due_in_s()
        patience_s = due_s if timeout_s is None else min(timeout_s, due_s)
        return self.inner.wait(patience_s) or not self._changes.due_in_s()

    @property
    def is_filling(self) -> bool:
        """Whether so much waits that some of it may soon be lost."""
        return self.inner.is_filling

    def events(self) -> Rows:
        """The rows since the last call, see `CaptureTier.events`."""
        early, self._early = self._early, np.empty(0, ROW)
        parts = [early, self.inner.events()]
        if self._changes:
            parts.append(self._changes.take())
        parts = [part for part in parts if len(part)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts or [early])

    def look(self) -> Rows:
        """What is open now, see `CaptureTier.look`."""
        return (self._looker or self.inner).look()

    def minisockets(self) -> Rows:
        """SYN_RECV and TIME_WAIT, see `CaptureTier.minisockets`."""
        return self.inner.minisockets()

    def losses(self) -> Losses:
        """What went missing so far."""
        return self.inner.losses()

    def close(self) -> None:
        """Stops; a second call does nothing."""
        for each in (self._looker, self._inner):
            if each is not None:
                each.close()


def open_looker(
    config: Config,
    refusals: dict[Tier, KernelError],
    require: Tier | None = None,
    udp_sockets: bool = False,
) -> Looker:
    """Opens what is cheapest for one look, of the best tier that works; no probes count for it.

    Args:
        config: `tier` forces one.
        refusals: gets the reason of each that does not work.
        require, udp_sockets: as of `Ladder`.

    Raises:
        KernelError: none works, see `Ladder.open`.
    """

    def open_one(tier: Tier) -> Looker:
        with _no_other_errors(tier):
            if tier == Tier.BTF:
                refuse_excluded_kernel(config.excluded_kernels)
                look = SocketLook(None, {}, config.owner_check_interval_s)
                return UdpSocketsToo(look, config) if udp_sockets else look
            counts_udp = config.udp and tier != Tier.KPROBE
            return _opened(make_tier(tier, replace(config, udp=counts_udp)))

    return _first_that_works(config, require, open_one, refusals)


def wanted_tiers(config: Config, require: Tier | None = None) -> list[Tier]:
    """Those that may be tried, best first; a tier's number is its rank.

    Raises:
        UsageError: the one that is asked for is worse than what is required.
    """
    wanted = [tier for tier in LADDER if config.tier in ("auto", word(tier))]
    if require is None:
        return wanted
    good = [tier for tier in wanted if tier <= require]
    if not good:
        raise UsageError(f"tier {config.tier} is worse than the {word(require)} that is required")
    return good


def _first_that_works(
    config: Config,
    require: Tier | None,
    open_one: Callable[[Tier], Opened],
    refusals: dict[Tier, KernelError],
) -> Opened:
    wanted = wanted_tiers(config, require)
    for tier in wanted:
        try:
            return open_one(tier)
        except KernelError as error:
            refusals[tier] = error
    best = refusals[wanted[0]]
    if require is None:
        raise best
    raise NotSupportedError(f"capturing with {word(require)} or better", str(best)) from best


def open_tested(tier: Tier, config: Config) -> tuple[CaptureTier, Rows]:
    """Opens that tier; with it come the events that were told while it was tested.

    Raises:
        KernelError: it can not be had, or does not see a connection of its own.
    """
    with _no_other_errors(tier):
        made = _opened(make_tier(tier, config))
        try:
            return made, see_own_connection(made)
        except BaseException:
            made.close()
            raise


@contextmanager
def _no_other_errors(tier: Tier) -> Iterator[None]:
    """What can not be opened or read, because there are no descriptors left for example, is a
    reason to try the next tier, like any other."""
    try:
        yield
    except OSError as error:
        raise FailedError(word(tier), str(error), error.errno or 0) from error


def make_tier(tier: Tier, config: Config) -> CaptureTier:
    """The tier, not open yet."""
    module, _, name = LADDER[tier].rpartition(".")
    made: CaptureTier = getattr(importlib.import_module(f"{__package__}.{module}"), name)(config)
    return made


def _opened(tier: CaptureTier) -> CaptureTier:
    try:
        tier.open()
    except BaseException:
        tier.close()
        raise
    return tier


def see_own_connection(tier: CaptureTier) -> Rows:
    """Makes a connection to ourselves and waits until the tier tells of it.

    Where no such connection can be made, because loopback is down, nothing is tested.

    Returns:
        The events that came meanwhile, without those of that connection.

    Raises:
        FailedError: it was not seen.
    """
    tells_events = bool(tier.kinds & {Kind.OPENED, Kind.CLOSED})
    try:
        port, batches = _connect_to_ourselves(None if tells_events else tier)
    except OSError:
        return _of_others(tier.events())
    end = time.monotonic() + SELF_TEST_S
    while not any(_shows(batch, port) for batch in batches):
        left_s = end - time.monotonic()
        if left_s <= 0 or not tells_events:
            raise FailedError(word(tier.tier), "opened, but did not see a connection of its own")
        tier.wait(left_s)
        batches.append(tier.events())
    events = np.concatenate(batches) if tells_events else tier.events()
    return _of_others(events[~_of_port(events, port)])


def _shows(rows: Rows, port: int) -> bool:
    """Whether they tell of the port, or of a loss: who counts what is lost is no silent tier."""
    return bool(_of_port(rows, port).any() or (rows["kind"] == Kind.LOST).any())


def _connect_to_ourselves(looker: Looker | None) -> tuple[int, list[Rows]]:
    """The port of a connection that is over, and what a look showed while it was open."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        with socket.create_connection(address), listener.accept()[0]:
            return address[1], [looker.look()] if looker else []


def _of_others(events: Rows) -> Rows:
    return np.compress(events["pid"] != os.getpid(), events)


def _of_port(rows: Rows, port: int) -> npt.NDArray[np.bool_]:
    mask: npt.NDArray[np.bool_] = (rows["local_port"] == port) | (rows["peer_port"] == port)
    return mask
