"""The command line before any command does its work."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import connscope
from connscope.cli.main import COMMANDS, join_values, make_parser
from tests.unit.cli.command import run_connscope

ABOUT = {name: importlib.import_module(f"connscope.cli.{name}").__doc__ or "" for name in COMMANDS}


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    """A pipe that nobody reads from any more, as behind ``| head -1``."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def test_version():
    """--version prints the version and nothing else."""
    done = run_connscope("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{connscope.__version__}\n", "")


def test_help_lists_every_command():
    """--help has a line for each command, with the first sentence of what it is."""
    text = " ".join(make_parser().format_help().split())
    firsts = {name: " ".join(about.partition("\n\n")[0].split()) for name, about in ABOUT.items()}
    assert [name for name, first in firsts.items() if f"{name} {first}" not in text] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_command_has_help(name: str, capsys: pytest.CaptureFixture[str]):
    """--help of each command begins with how to use it and has all that it says of itself."""
    with pytest.raises(SystemExit) as caught:
        make_parser().parse_args([name, "--help"])
    text = capsys.readouterr().out
    assert (caught.value.code, text.startswith(f"usage: connscope {name} ")) == (0, True)
    assert ABOUT[name]
    assert ABOUT[name] in text


def test_command_that_is_not_asked_for_is_not_imported() -> None:
    """`list` does not wait for `doctor`."""
    program = (
        "import sys; from connscope.cli.main import make_parser; make_parser(['list']);"
        "print('connscope.cli.doctor' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"False\n"


def test_closed_output_is_one_sentence() -> None:
    """As ``connscope doctor >&-`` leaves it."""
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -m connscope.cli doctor >&-', sys.executable],
        stderr=subprocess.PIPE,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stderr) == (1, "connscope: standard output is closed\n")


def test_full_disk_is_one_sentence() -> None:
    """No traceback: what was being written, and why it could not be."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "connscope.cli", "doctor"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            text=True,
        )
    said = "connscope: writing the output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, said)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "connscope: error: the following arguments are required: COMMAND"),
        (("tarce",), "argument COMMAND: invalid choice: 'tarce' (choose from "),
        (("trace", "--colour"), "connscope: error: unrecognized arguments: --colour"),
    ],
)
def test_no_such_command(arguments: tuple[str, ...], message: str, capsys):
    """Without a command, or with one that is none, the message says so and the code is 2."""
    with pytest.raises(SystemExit) as caught:
        make_parser().parse_args(arguments)
    assert (caught.value.code, message in capsys.readouterr().err) == (2, True)


@pytest.mark.parametrize(
    ("given", "joined"),
    [
        (["list", "--sort", "-tx"], ["list", "--sort=-tx"]),
        (["list", "--filter", "-state:listen", "-l"], ["list", "--filter=-state:listen", "-l"]),
        (["list", "--filter", "a", "-l"], ["list", "--filter", "a", "-l"]),
        (["list", "--sort", "--reverse"], ["list", "--sort", "--reverse"]),
        (["--sort", "-"], ["--sort", "-"]),
        (["--sort"], ["--sort"]),
        ([], []),
    ],
)
def test_value_may_begin_with_a_minus(given: list[str], joined: list[str]):
    """An order and a filter have a meaning for it; what has two is an option."""
    assert join_values(given) == joined


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("doctor",)],
    ids=" ".join,
)
def test_closed_pipe_is_no_error(arguments: tuple[str, ...], closed_pipe: int):
    """Whoever read our output may leave: no word about it."""
    assert run_connscope(*arguments, stdout=closed_pipe).stderr == ""
