"""What becomes of a command whose terminal goes away."""

from __future__ import annotations

import signal
from types import FrameType

from connscope.cli.exit_codes import SIGNALLED

__all__ = ("end_at_hang_up",)


def end_at_hang_up() -> None:
    """From now on it ends as by SIGTERM, so that nothing is left behind; not under nohup."""
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _end)


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(SIGNALLED + number)
