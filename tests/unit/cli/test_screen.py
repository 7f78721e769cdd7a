"""The screen takes the terminal and gives it back, whatever ends it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connscope.cli.screen import Screen

ENTER, LEAVE = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l"
PROGRAM = """
import signal, sys, time
from connscope.cli.screen import Screen
def end(number, frame):
    raise SystemExit(143)
signal.signal(signal.SIGTERM, end)
with Screen() as screen:
    screen.draw(["one", "two"])
    keys = b""
    while keys is not None and b"q" not in keys:
        # Not long: a signal just before the wait does not end it.
        keys = screen.keys(time.monotonic() + 0.05)
"""
LINE_MODE = 3
PATIENCE_S = 20


class Terminal:
    """A terminal on which the program draws already."""

    def __init__(self) -> None:
        self.fd, inner = pty.openpty()
        self.before = termios.tcgetattr(self.fd)
        self.program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=inner, stdout=inner, stderr=inner
        )
        os.close(inner)
        self.said = b""
        self.until(b"two")

    def until(self, text: bytes) -> None:
        """Reads until the program has written that."""
        while text not in self.said:
            self.said += os.read(self.fd, 4096)

    def is_as_before(self) -> bool:
        """The modes are those from before the program."""
        return bool(termios.tcgetattr(self.fd)[LINE_MODE] == self.before[LINE_MODE])


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    try:
        yield made
    finally:
        made.program.kill()
        made.program.wait()
        os.close(made.fd)


def test_draws_on_the_other_screen(terminal: Terminal):
    """From the top, each line cleared to its end, and nothing echoes meanwhile."""
    terminal.until(b"\x1b[J")
    assert terminal.said == ENTER + b"\x1b[Hone\x1b[K\r\ntwo\x1b[K\x1b[J"
    assert not terminal.is_as_before()


@pytest.mark.parametrize(
    ("end", "code"), [(b"q", 0), (signal.SIGTERM, 143), (signal.SIGINT, None)], ids=str
)
def test_gives_the_terminal_back(terminal: Terminal, end: bytes | signal.Signals, code: int | None):
    """After a key, after SIGTERM, after Ctrl-C."""
    if isinstance(end, bytes):
        os.write(terminal.fd, end)
    else:
        terminal.program.send_signal(end)
    terminal.until(LEAVE)
    ended = terminal.program.wait(PATIENCE_S)
    assert code in {None, ended}
    assert terminal.is_as_before()


def test_nobody_is_no_key(monkeypatch: pytest.MonkeyPatch):
    """At the end of the input there is nobody to wait for."""
    with Path(os.devnull).open() as null:
        monkeypatch.setattr(sys, "stdin", null)
        assert Screen.keys(time.monotonic() + PATIENCE_S) is None


def test_ctrl_z_gives_it_back_for_a_while(terminal: Terminal):
    """A stopped program leaves the shell its terminal, and takes it again when it goes on."""
    terminal.program.send_signal(signal.SIGTSTP)
    os.waitpid(terminal.program.pid, os.WUNTRACED)
    terminal.until(LEAVE)
    assert terminal.is_as_before()
    terminal.program.send_signal(signal.SIGCONT)
    terminal.until(LEAVE + ENTER)
    os.write(terminal.fd, b"q")
    assert terminal.program.wait(PATIENCE_S) == 0
