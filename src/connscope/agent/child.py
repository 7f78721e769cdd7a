"""A process of ours that does one thing, as a user of its own."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable

from connscope.errors import ConnscopeError, FailedError
from connscope.kernel.host.privileges import become, die_with_parent
from connscope.kernel.host.users import User

__all__ = ("Child", "leave_privileges")

CHECK_S = 0.02
FAILED = 1


class Child:
    """Runs a function in a process of its own.

    Signals of the terminal do not reach it: who started it ends it, and the kernel if they do not.

    Args:
        name: for messages.
        work: what it does; what it returns does not matter.
    """

    def __init__(self, name: str, work: Callable[[], object]) -> None:
        self.name = name
        self._exit_code: int | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        # A collection writes to every object it looks at, which takes a page of its own for each
        # process: what is there now stays out of it and is shared.
        gc.freeze()
        self.pid = os.fork()
        if not self.pid:
            os._exit(_do(name, work))

    def exit_code(self) -> int | None:
        """What it ended with; None: it runs."""
        if self._exit_code is None:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            if found:
                self._exit_code = os.waitstatus_to_exitcode(status)
        return self._exit_code

    def wait(self, seconds: float) -> bool:
        """Waits so long for its end; whether it has ended."""
        end_s = time.monotonic() + seconds
        while self.exit_code() is None:
            if time.monotonic() >= end_s:
                return False
            time.sleep(CHECK_S)
        return True

    def check(self) -> None:
        """Nothing, as long as it runs.

        Raises:
            FailedError: it has ended.
        """
        if (code := self.exit_code()) is not None:
            how = f"was killed by signal {-code}" if code < 0 else f"has ended with {code}"
            raise FailedError("connscope", f"its {self.name} process, {self.pid}, {how}")

    def end(self, seconds: float) -> None:
        """Asks it to end, and kills it if it has not after so long."""
        for number, patience_s in ((signal.SIGTERM, seconds), (signal.SIGKILL, 1.0)):
            if self.exit_code() is None:
                os.kill(self.pid, number)
                self.wait(patience_s)


def _do(name: str, work: Callable[[], object]) -> int:
    """In the child: nothing of the parent's may run on, whatever happens."""
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        work()
    except SystemExit:
        return FAILED
    except ConnscopeError as error:
        sys.stderr.write(f"connscope {name}: {error}\n")
        return FAILED
    except BaseException:  # noqa: BLE001  else the stack of the parent would unwind here
        traceback.print_exc()
        return FAILED
    finally:
        sys.stderr.flush()
    return 0


def leave_privileges(user: User, parent_pid: int) -> None:
    """In a child: becomes that user for good, and ends when its parent does.

    Raises:
        FailedError: the kernel refused.
    """
    become(user.uid, user.gid)
    die_with_parent(signal.SIGTERM)
    if os.getppid() != parent_pid:
        raise SystemExit(FAILED)  # it ended before the kernel knew that we care
