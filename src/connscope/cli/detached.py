"""A command that goes on in the background once it works."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from connscope.agent.instance import find_instance, make_private
from connscope.cli.exit_codes import FAILED, FINE

__all__ = ("detached",)

LOG = "connscope.log"
LOG_FLAGS = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
PATIENCE_S = 20.0
CHECK_S = 0.05


def detached(directory: Path, work: Callable[[], int]) -> int:
    """Does the work in a process of its own and returns when it has noted that it runs.

    What it says goes to ``connscope.log`` in the directory; if it fails, that is shown here.
    """
    make_private(directory)
    log = directory / LOG
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        os.setsid()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        out = os.open(log, LOG_FLAGS, 0o600)
        for descriptor, opened in ((0, os.open(os.devnull, os.O_RDONLY)), (1, out), (2, out)):
            os.dup2(opened, descriptor)
        raise SystemExit(work())
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        found = find_instance(directory)
        if found and found.pid == pid:
            print(f"connscope runs{found.where}\n`connscope stop` ends it; its log is {log}")
            return FINE
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            sys.stderr.write(log.read_text(errors="replace"))
            return os.waitstatus_to_exitcode(status) or FAILED
        time.sleep(CHECK_S)
    print(f"connscope is not ready after {PATIENCE_S:.0f} s: see {log}", file=sys.stderr)
    return FAILED
