"""The whole terminal for a while: the alternate screen, keys without Enter, all given back after.

Plain escape codes and termios, because curses wants a terminfo entry and takes over the signals.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import termios
import time
import tty
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ("Screen", "is_interactive")

ENTER = "\x1b[?1049h\x1b[?25l"
LEAVE = "\x1b[?25h\x1b[?1049l"
HOME, REST_OF_LINE, REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"
KEYS_AT_ONCE = 64


def is_interactive() -> bool:
    """True if somebody sits there: a terminal to draw on and one to read keys from."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


class Screen:
    """A context: within it the terminal is ours, also across Ctrl-Z and fg."""

    def __init__(self) -> None:
        self._before: list[Any] = []
        self._on_stop: Any = None

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(sys.stdin)
        self._on_stop = signal.signal(signal.SIGTSTP, self._stop)
        try:
            self._take()
        except BaseException:
            self._give_back()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGTSTP, self._on_stop)
        self._give_back()

    def _take(self) -> None:
        tty.setcbreak(sys.stdin)
        self._write(ENTER)

    def _give_back(self) -> None:
        try:
            self._write(LEAVE)
        finally:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-Z: the shell gets its terminal as it was, and we ours when we go on."""
        self._give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._take()

    def draw(self, lines: list[str]) -> None:
        """Shows the lines from the top, and nothing else; they fit."""
        text = "\n".join(f"{line}{REST_OF_LINE}" for line in lines)
        self._write(HOME + text + REST_OF_SCREEN)

    @staticmethod
    def size() -> tuple[int, int]:
        """Columns and lines, as they are now."""
        return shutil.get_terminal_size()

    @staticmethod
    def keys(until_s: float) -> bytes | None:
        """The keys that were pressed; waits for one until that time of the monotonic clock.

        None if nobody will press one any more.
        """
        left_s = max(0.0, until_s - time.monotonic())
        if not select.select((sys.stdin,), (), (), left_s)[0]:
            return b""
        return os.read(sys.stdin.fileno(), KEYS_AT_ONCE) or None

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
