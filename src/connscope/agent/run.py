"""Starts the two processes of an agent."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from connscope.agent.capturing import Capturing
from connscope.agent.channel import Channel, make_channel
from connscope.agent.child import Child, leave_privileges
from connscope.agent.host import this_host
from connscope.agent.place import Place
from connscope.agent.spool_place import hold_spool_place
from connscope.config import Config
from connscope.errors import FailedError
from connscope.kernel.host.privileges import keep_capabilities
from connscope.kernel.host.users import User
from connscope.row.words import Tier
from connscope.tracker.tracker import Tracker

__all__ = ("CAPTURE_CAPABILITIES", "run_agent")

CAPTURE_CAPABILITIES = (
    "CAP_BPF",
    "CAP_PERFMON",
    "CAP_NET_ADMIN",
    "CAP_SYS_PTRACE",
    "CAP_DAC_READ_SEARCH",
    "CAP_SYS_ADMIN",  # to enter other network namespaces
    "CAP_KILL",  # to end the other processes, which are of another user
    "CAP_SYS_RESOURCE",  # before 5.11 the memory of maps counts as locked
)
END_S = 2.5
DEATH_S = 0.5
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_agent(
    config: Config,
    destination: tuple[Place, str],
    user: User,
    *,
    require: Tier | None = None,
    record: IO[bytes] | None = None,
    beside: Child | None = None,
    ready: Callable[[Tracker], None],
) -> int:
    """Captures and reports until a signal says stop; then reports once more.

    Args:
        config: of connscope.
        destination: where the reports go, and the token for it.
        user: that the reporting process becomes.
        require: no tier that is worse.
        record: gets all reports, too.
        beside: another process of this program: its traffic is ours, and its end, too.
        ready: is called when the first look was taken.

    Returns:
        The number of the signal.

    Raises:
        KernelError: there is no way to capture here, or another process of ours has died.
        ConfigError: there is no place for the spool.
    """
    spool = hold_spool_place(Path(config.spool_dir), user)
    ours, theirs = make_channel()
    parent = os.getpid()

    def report() -> None:
        ours.close()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the end of the channel is ours
        # Only here, and before rights and the way to the files are gone.
        reporting = importlib.import_module("connscope.agent.reporting")
        importlib.import_module("numpy.ma")  # by numpy.unique
        sends = reporting.Destination(*destination)
        os.fchdir(spool)  # while we may; the way to it can be closed to the user
        leave_privileges(user, parent)
        keeps = reporting.Spool(Path(), config.spool_bytes_max)
        reporting.Reporting(theirs, sends, keeps, record).run()

    child = Child("agent", report)
    os.close(spool)
    theirs.close()
    try:
        others = (child, beside) if beside else (child,)
        with (
            _capturing(config, ours, require, others) as capturing,
            _stopped_by_signals(capturing.stop) as came,
        ):
            ready(capturing.tracker)
            _run(capturing, child)
        return came[0] if came else 0
    finally:
        ours.close()
        if not child.wait(END_S):
            child.end(0)


@contextlib.contextmanager
def _capturing(
    config: Config, channel: Channel, require: Tier | None, others: Sequence[Child]
) -> Iterator[Capturing]:
    """Captures as soon as it begins, with no more rights than that takes."""
    keep_capabilities(CAPTURE_CAPABILITIES)

    def check() -> None:
        for other in others:
            other.check()

    with Tracker(config, require, audits=True) as tracker:
        early = tracker.open()
        own_pids = [other.pid for other in others]
        yield Capturing(tracker, channel, this_host(), config, early, own_pids, check)


def _run(capturing: Capturing, child: Child) -> None:
    try:
        capturing.run()
    except OSError as error:
        child.wait(DEATH_S)
        child.check()
        raise FailedError("connscope", f"its agent process, {child.pid}: {error}") from error


@contextlib.contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[list[int]]:
    """Gives a list that gets the numbers of those that came."""
    came = list[int]()

    def note(number: int, frame: object) -> None:
        came.append(number)
        stop()

    # Who ignores one, as nohup has it, goes on to.
    heard = [number for number in STOPS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, note) for number in heard}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
