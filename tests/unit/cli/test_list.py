"""``connscope list`` as far as it gets without privileges."""

from __future__ import annotations

from pathlib import Path

import pytest

from connscope.cli.main import make_parser
from tests.unit.cli.command import run_connscope

CAPABILITIES = "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--output", "xml"), "argument -o/--output: invalid choice: 'xml' (choose from"),
        (("--port", "0"), "argument --port: 0 is no port: give 1 to 65535"),
        (("--summary", "--follow"), "argument -f/--follow: not allowed with argument --summary"),
        (("--sort",), "argument --sort: expected one argument"),
    ],
)
def test_wrong_argument_is_named(arguments: tuple[str, ...], message: str, capsys):
    """The message has the option and the value; the code is 2."""
    with pytest.raises(SystemExit) as caught:
        make_parser().parse_args(["list", *arguments])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sort", "size"), "--sort: there is no column 'size'"),
        (("--failed",), "--failed: nothing that is open has failed; add --follow, or use trace"),
        (("--summary", "-o", "csv"), "--summary: there is no csv of it, use -o json"),
        (("--summary", "-o", "arrow"), "--summary: there is no arrow of it, use -o json"),
        (("--summary", "-l"), "--summary: it has its own order, and is of all sockets"),
        (("--summary", "--sort", "tx"), "--summary: it has its own order, and is of all sockets"),
        (("--filter", "port:"), "a value is missing"),
        (("--config", "/nonexistent.toml"), "can not read /nonexistent.toml"),
    ],
    ids=" ".join,
)
def test_usage_error_comes_first(arguments: tuple[str, ...], message: str):
    """What makes no sense is said before anything is asked of the kernel; the code is 2."""
    done = run_connscope("list", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"connscope list: {message}")


def test_config_file_is_read(tmp_path: Path):
    """--config names the file, and its mistakes are its own."""
    file = tmp_path / "config.toml"
    file.write_text("accept_owner = 'nobody'")
    done = run_connscope("list", "--follow", "--config", str(file))
    assert done.stderr == (
        f"connscope list: {file}: accept_owner is 'nobody': "
        "it must be one of auto, exact, listener\n"
    )


@pytest.mark.parametrize("form", ["table", "wide", "json", "csv", "arrow"])
def test_without_privileges_it_names_the_capabilities(form: str):
    """One sentence with what is missing and the next step; nothing on standard output; code 3."""
    done = run_connscope("list", "--tier", "btf", "-o", form)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"connscope list: needs {CAPABILITIES}: run it as root, e.g. with sudo\n"
