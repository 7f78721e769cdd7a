"""Where the audit is shown: at the end of a trace, in a summary, and live."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CONNSCOPE = [sys.executable, "-m", "connscope.cli"]
PATIENCE_S = 20
SAW = re.compile(r"audit: saw ([\d,]+) of ([\d,]+) connections the kernel counted \(\d+ namesp")
OWN = Path("/proc/self/ns/net").stat().st_ino


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command that captures already."""
    with subprocess.Popen(
        [*CONNSCOPE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        assert process.stderr.readline().startswith("capturing: ")
        try:
            yield process
        finally:
            process.kill()


def connect(listener: socket.socket, times: int = 1) -> None:
    """Connections over loopback, opened and closed."""
    for _ in range(times):
        with socket.create_connection(listener.getsockname()), listener.accept()[0]:
            pass


def line(process: subprocess.Popen[str]) -> str:
    """The next one of its output."""
    assert process.stdout
    return process.stdout.readline()


def test_trace_ends_with_the_audit_of_all_whatever_it_shows(listener: socket.socket) -> None:
    """Of each connection both ends, though the filter leaves one row only."""
    port = listener.getsockname()[1]
    arguments = ("-o", "json", "--filter", f"port:{port} kind:closed role:client", "--count", "50")
    with running("trace", *arguments) as process:
        connect(listener, 50)
        out, err = process.communicate(timeout=PATIENCE_S)
    found = SAW.search(err)
    assert found, err
    saw, counted = (int(text.replace(",", "")) for text in found.groups())
    assert len(out.splitlines()) == 50
    assert saw >= 100
    assert saw == counted
    assert err.rstrip().count("\n") == err.rstrip()[: found.start()].count("\n")


def test_trace_names_the_cause_of_a_gap(listener: socket.socket) -> None:
    """A stopped reader with a small ring."""
    with running("trace", "-o", "json", "--ring-bytes", "4096") as process:
        connect(listener)
        line(process)
        process.send_signal(signal.SIGSTOP)
        connect(listener, 100)
        process.send_signal(signal.SIGCONT)
        while json.loads(line(process))["kind"] != "lost":
            pass
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 130
    assert re.search(r"; [\d,]+ lost because the ring was full \(ring_bytes\)", err), err


def test_trace_says_why_there_is_nothing_to_compare() -> None:
    """And not that it saw none of none."""
    with running("trace", "--tier", "procfs", "--duration", "0.2") as process:
        err = process.communicate(timeout=PATIENCE_S)[1]
    assert "audit: procfs is told of no connects: ActiveOpens, PassiveOpens" in err


def audit_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Of our namespace, from the next object that watches it."""
    (found,) = [
        each
        for each in json.loads(line(process))["namespaces"]
        if each["netns"] == OWN and each["counters"]
    ]
    return dict(found)


def test_watch_goes_on_until_it_is_stopped(listener: socket.socket) -> None:
    """Each second an object; what happens in between is in the next ones."""
    with running("doctor", "--watch", "-o", "json") as process:
        before = audit_of(process)
        connect(listener, 30)
        while (after := audit_of(process))["saw"] < before["saw"] + 60:
            pass
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=PATIENCE_S)[1]
    assert after["counted_least"] >= after["saw"] - 60
    assert after["counters"]["ActiveOpens"]["bound"] == "exact"
    assert after["window_s"] > before["window_s"]
    assert (process.returncode, "Traceback" in err) == (130, False)


def test_watch_is_a_table_for_people() -> None:
    """With titles, and a line for our namespace."""
    with running("doctor", "--watch") as process:
        assert line(process).split()[:4] == ["NETNS", "WINDOW", "SAW", "OF"]
        assert line(process).split()[0].isdecimal()


def test_watch_and_the_verifiers_log_are_two_things() -> None:
    """Only one of both."""
    command = [*CONNSCOPE, "doctor", "--watch", "--log"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 2
    assert "not allowed with argument" in finished.stderr


@pytest.mark.parametrize("tier", ["btf", "netlink", "procfs"])
def test_summary_compares_its_look_with_the_kernels_level(
    tier: str, listener: socket.socket
) -> None:
    """Whatever the filter leaves, and with each tier: a level needs no events."""
    with socket.create_connection(listener.getsockname()), listener.accept()[0]:
        command = [*CONNSCOPE, "list", "--summary", "--tier", tier, "--port", "1"]
        as_json, as_table = (
            subprocess.run(
                [*command, "-o", form], capture_output=True, text=True, check=True
            ).stdout
            for form in ("json", "table")
        )
    objects = [json.loads(text) for text in as_json.splitlines()]
    (mine,) = [each for each in objects if each["by"] == "audit" and each["netns"] == OWN]
    assert mine["saw"] >= 2
    assert mine["counted_least"] <= mine["saw"] <= mine["counted_most"]
    assert objects[-1]["by"] == "total"
    assert objects[-1]["connections"] == 0
    assert "connections that the kernel counts as established" in as_table.splitlines()[-1]
