"""Starts the two processes of an agent."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from connscope.agent.capturing import Capturing
from connscope.agent.channel import Channel, make_channel
from connscope.agent.child import Child, leave_privileges
from connscope.agent.destination import Destination
from connscope.agent.host import this_host
from connscope.agent.reporting import Reporting
from connscope.agent.spool import Spool
from connscope.config import Config
from connscope.errors import ConfigError
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
END_S = 3.0
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_agent(
    config: Config,
    destination: Destination,
    user: User,
    *,
    require: Tier | None = None,
    record: IO[bytes] | None = None,
    own_pids: Iterable[int] = (),
    ready: Callable[[Tracker], None],
) -> None:
    """Captures and reports until a signal says stop; then reports once more.

    Args:
        config: of connscope.
        destination: of the reports.
        user: that the reporting process becomes.
        require: no tier that is worse.
        record: gets all reports, too.
        own_pids: of processes of this program besides the two.
        ready: is called when the first look was taken.

    Raises:
        KernelError: there is no way to capture here.
        ConfigError: there is no place for the spool.
        ConnectionError: the reporting process has died.
    """
    ours, theirs = make_channel()
    spool_dir = _make_spool_dir(Path(config.spool_dir), user)
    parent = os.getpid()

    def report() -> None:
        ours.close()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the end of the channel is ours
        leave_privileges(user, parent)
        spool = Spool(spool_dir, config.spool_bytes_max)
        Reporting(theirs, destination, spool, record).run()

    child = Child("agent", report)
    theirs.close()
    try:
        _capture(config, ours, require, (child.pid, *own_pids), ready)
    finally:
        ours.close()
        if not child.wait(END_S):
            child.end(0)


def _capture(
    config: Config,
    channel: Channel,
    require: Tier | None,
    own_pids: Iterable[int],
    ready: Callable[[Tracker], None],
) -> None:
    if os.geteuid() == 0:
        keep_capabilities(CAPTURE_CAPABILITIES)
    with Tracker(config, require, audits=True) as tracker:
        early = tracker.open()
        capturing = Capturing(tracker, channel, this_host(), config, early, own_pids)
        with _stopped_by_signals(capturing.stop):
            ready(tracker)
            capturing.run()


@contextlib.contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    before = {number: signal.signal(number, lambda *_: stop()) for number in STOPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _make_spool_dir(path: Path, user: User) -> Path:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(path, user.uid, user.gid)
        path.chmod(0o700)
    except OSError as error:
        raise ConfigError(f"spool_dir is {path}: {error.strerror}") from error
    return path
