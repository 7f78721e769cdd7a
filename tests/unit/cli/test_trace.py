"""``connscope trace`` as far as it gets without privileges."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import pytest

from connscope.cli import trace
from connscope.cli.main import make_parser
from tests.unit.cli.command import run_connscope

CAPABILITIES = "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--port", "0"), "argument --port: 0 is no port: give 1 to 65535"),
        (("--port", "65536"), "argument --port: 65536 is no port: give 1 to 65535"),
        (("--count", "0"), "argument -c/--count: 0 is no count: give 1 or more"),
        (("--duration", "0"), "argument --duration: 0 is no time: give seconds above 0"),
        (("--duration", "nan"), "argument --duration: nan is no time: give seconds above 0"),
        (("--pid", "init"), "argument -p/--pid: invalid int value: 'init'"),
        (("--uid", "root"), "argument --uid: invalid int value: 'root'"),
        (("--netns", "host"), "argument --netns: invalid int value: 'host'"),
        (("--output", "xml"), "argument -o/--output: invalid choice: 'xml' (choose from"),
        (("--direction", "up"), "argument --direction: invalid choice: 'up' (choose from"),
        (("--accept-owner", "me"), "argument --accept-owner: invalid choice: 'me' (choose from"),
        (("--ring-bytes", "8M"), "argument --ring-bytes: invalid int value: '8M'"),
        (("--port", "http"), "argument --port: http is no port: give 1 to 65535"),
        (("--count", "many"), "argument -c/--count: many is no count: give 1 or more"),
        (("--duration", "10s"), "argument --duration: 10s is no time: give seconds above 0"),
    ],
)
def test_wrong_argument_is_named(arguments: tuple[str, ...], message: str, capsys):
    """The message has the option, the value and what would be right; the code is 2."""
    with pytest.raises(SystemExit) as caught:
        make_parser().parse_args(["trace", *arguments])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


class Clock:
    """Time that passes only while somebody sleeps; the ring fills up at a moment."""

    def __init__(self, fills_at_s: float = math.inf) -> None:
        self.now_s, self.fills_at_s = 100.0, 100.0 + fills_at_s

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    @property
    def is_filling(self) -> bool:
        return self.now_s >= self.fills_at_s


@pytest.mark.parametrize(
    ("fills_at_s", "interval_s", "end_s", "slept_s"),
    [
        (math.inf, 0.05, math.inf, 0.25),
        (0.07, 0.05, math.inf, 0.1),
        (math.inf, 1.0, math.inf, 1.0),
        (math.inf, 0.05, 0.03, 0.03),
    ],
    ids=["quiet", "ring fills up", "longer interval", "duration ends"],
)
def test_events_gather_until_the_ring_fills(
    monkeypatch: pytest.MonkeyPatch,
    fills_at_s: float,
    interval_s: float,
    end_s: float,
    slept_s: float,
):
    """A quarter of a second, or as long as is configured if that is more; never beyond the end."""
    clock = Clock(fills_at_s)
    monkeypatch.setattr(trace, "time", clock)
    trace._let_gather(cast("Any", clock), interval_s, clock.now_s, clock.now_s + end_s)
    assert clock.now_s - 100 == pytest.approx(slept_s)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--ring-bytes", "5000"), "arguments: ring_bytes is 5000: it must be a power of two"),
        (
            ("--config", "/nonexistent.toml"),
            "can not read /nonexistent.toml: No such file or directory",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_usage_error_is_one_line(arguments: tuple[str, ...], message: str):
    """What is wrong is said before anything is captured, without a trace; the code is 2."""
    done = run_connscope("trace", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"connscope trace: {message}\n"


def test_wrong_filter_is_pointed_at():
    """The place is shown before anything is captured; the code is 2."""
    done = run_connscope("trace", "--filter", "-port:(")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("connscope trace: ")
    assert done.stderr.endswith("  -port:(\n        ^\n")


def test_wrong_network_names_its_option():
    """Of several options the one with the mistake is named."""
    assert "--cidr" in run_connscope("trace", "--cidr", "10.0.0.0/33").stderr


def test_wrong_variable_is_a_usage_error():
    """The environment is looked at, and named."""
    done = run_connscope("trace", CONNSCOPE_RING_BYTES="8M")
    assert done.returncode == 2
    assert done.stderr.startswith("connscope trace: environment CONNSCOPE_*: ring_bytes is '8M'")


def test_config_file_is_read(tmp_path: Path):
    """--config names the file, and its mistakes are its own."""
    file = tmp_path / "config.toml"
    file.write_text("accept_owner = 'nobody'")
    done = run_connscope("trace", "--config", str(file))
    assert done.stderr == (
        f"connscope trace: {file}: accept_owner is 'nobody': "
        "it must be one of auto, exact, listener\n"
    )


def test_without_privileges_it_names_the_capabilities():
    """One sentence with what is missing and the next step; nothing on standard output; code 3."""
    done = run_connscope("trace", "--tier", "btf", "--duration", "5")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"connscope trace: needs {CAPABILITIES}: run it as root, e.g. with sudo\n"
    )
