"""In a guest: the kprobe tier and tcptracer on the same traffic; a line of JSON for each finding.

python -m bench.rigs.kprobe_guest FILE
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.rigs.findings import Tell, telling
from bench.rigs.network import PrivateNetwork
from bench.rigs.sitters import sitting
from bench.rigs.tracers import TraceProgram, TracingProgram, tcptracer
from bench.rigs.work import work_s
from connscope.capture.kprobe.guess.witness import guess_offsets
from connscope.capture.kprobe.tier import KprobeTier
from connscope.capture.kprobe.watchers import threads_in_accept
from connscope.config import Config
from connscope.kernel.kprobes import Kprobes

__all__ = ("JSON", "NONE", "OURS", "RIVAL", "SITTERS", "SLOWED", "SLOWED_S", "main")

NONE, OURS, RIVAL = "none", "connscope", "tcptracer"
SLOWED, JSON = "connscope, slowed", "connscope, slowed, JSON"
SLOWED_S, QUIET_S = 1.0, 2.0
"""How often `trace` reads when it is as slow as the machine, some twenty times: time itself is not
emulated, so its 50 ms have a twentieth of the rows in them."""

START_TIMEOUT_S = 240.0
TURNS = 3
GUESSES = 3
SITTERS = 10_000
PACES = {"flat out": ("-n", 1500, "-w", 2), "paced": ("-n", 400, "-w", 1, "-u", 10_000)}
"""Arguments of tests/traffic/churn.c; paced: a rest of 10 ms after each connection."""

RUNS = {"flat out": (NONE, OURS, SLOWED, JSON, RIVAL), "paced": (OURS, RIVAL)}
TOGETHER = ("-n", 1000, "-w", 2)
STATS = Path("/proc/sys/kernel/bpf_stats_enabled")
KINDS = {"C": ("opened", "client"), "A": ("accepted", "server"), "X": ("closed", "")}
"""What tcptracer calls an event, and what we call it; both ends close."""

Seen = Counter[tuple[str, ...]]


def main() -> None:
    """Measures all of it."""
    STATS.write_text("1")
    with telling(Path(sys.argv[1])) as tell:
        tell("work", **work_s())
        for _ in range(GUESSES):
            tell("guess", **_guess())
        _trace("json").close()  # compiles, and warms up
        tell("together", **_run_together())
        for pace, names in RUNS.items():
            for _ in range(TURNS):
                for name in names:
                    tell("run", pace=pace, tracer=name, **_run(name, pace))
        _open_among_sitters(tell)
        tell("work", **work_s())


def _trace(form: str, reads_each_s: float = 0.0) -> TraceProgram:
    key = "CONNSCOPE_DRAIN_INTERVAL_S"
    os.environ |= {key: str(reads_each_s)} if reads_each_s else {}
    try:
        return TraceProgram("--tier", "kprobe", form=form, start_timeout_s=START_TIMEOUT_S)
    finally:
        os.environ.pop(key, None)


def _guess() -> dict[str, Any]:
    """How long it takes, and how many SYNs the kernel counts meanwhile: nobody else sends any."""
    with Kprobes() as kprobes:
        before, began_s = _active_opens(), time.monotonic()
        guess_offsets(kprobes)
        seconds = time.monotonic() - began_s
        return {"seconds": seconds, "connections": _active_opens() - before}


def _active_opens() -> int:
    lines = Path("/proc/net/snmp").read_text().splitlines()
    names, values = (line.split() for line in lines if line.startswith("Tcp:"))
    return int(values[names.index("ActiveOpens")])


def _churn(network: PrivateNetwork, arguments: tuple[object, ...]) -> dict[str, Any]:
    """What it says of its own work; it takes as long as it takes."""
    with network.start("churn", *arguments) as process:
        done: dict[str, Any] = json.loads(process.communicate()[0])
        return done


def _run(name: str, pace: str) -> dict[str, Any]:
    """The traffic, with that tracer; what it spent between being ready and having told all."""
    with PrivateNetwork() as network, ExitStack() as stack:
        if name == NONE:
            return _churn(network, PACES[pace])
        program = stack.enter_context(STARTS[name]())
        user_s, system_s, bpf = *program.cpu_parts_s(), _bpf_ns(program.pid)
        done = _churn(network, PACES[pace])
        program.settle(QUIET_S)
        user_s, system_s = (
            later - earlier
            for later, earlier in zip(program.cpu_parts_s(), (user_s, system_s), strict=True)
        )
        bpf = _bpf_ns(program.pid) - bpf
        program.stop()
        return {
            **done,
            "user_s": user_s,
            "system_s": system_s,
            "bpf_ns": bpf,
            **_told(program),
        }


def _rival() -> TracingProgram:
    return tcptracer(START_TIMEOUT_S)


STARTS: dict[str, Callable[[], TracingProgram]] = {
    OURS: lambda: _trace("table"),
    SLOWED: lambda: _trace("table", SLOWED_S),
    JSON: lambda: _trace("json", SLOWED_S),
    RIVAL: _rival,
}


def _told(program: TracingProgram) -> dict[str, int]:
    if isinstance(program, TraceProgram):
        return program.summary()._asdict()
    return {"rows": program.output.read_bytes().count(b"\n"), "lost": _lost(program)}


def _lost(program: TracingProgram) -> int:
    """Rows, events: what each says itself."""
    if isinstance(program, TraceProgram):
        return program.summary().lost
    lines = (line.split() for line in program.said().splitlines())
    return sum(int(words[1]) for words in lines if words[:1] == ["Lost"])


def _bpf_ns(pid: int) -> int:
    """How long all programs ran that the process has loaded."""
    ran = dict[str, int]()
    for file in Path(f"/proc/{pid}/fdinfo").iterdir():
        lines = (line.partition(":") for line in file.read_text().splitlines())
        told = {name: value.strip() for name, _, value in lines}
        if "run_time_ns" in told:
            ran[told["prog_id"]] = int(told["run_time_ns"])
    return sum(ran.values())


def _run_together() -> dict[str, Any]:
    """Both at once: what each told of the same connections."""
    with PrivateNetwork() as network, _trace("json") as trace, _rival() as rival:
        before = network.tcp_counters()
        done = _churn(network, TOGETHER)
        after = network.tcp_counters()
        for program in (trace, rival):
            program.settle(QUIET_S)
            program.stop()
        ours, theirs = _seen_by_us(trace.output, network.inode), _seen_by_rival(rival.output)
        opened = sum(after[name] - before[name] for name in ("ActiveOpens", "PassiveOpens"))
        return {
            "connections": done["connections"],
            "opened": opened,
            "opened_seen": sum(count for key, count in ours.items() if key[0] == "opened"),
            "theirs": sum(theirs.values()),
            "ours": sum(_without_role(ours).values()),
            "only_theirs": sum((theirs - _without_role(ours)).values()),
            "only_ours": sum((_without_role(ours) - theirs).values()),
            "lost": _lost(trace),
            "lost_by_rival": _lost(rival),
        }


def _seen_by_us(output: Path, netns: int) -> Seen:
    """Kind, role and ends of all rows of that namespace."""
    seen = Seen()
    with output.open() as lines:
        for row in map(json.loads, lines):
            if row.get("netns") == netns:
                seen[row["kind"], row.get("role", ""), *_ends(row)] += 1
    return seen


def _ends(row: dict[str, Any]) -> Iterator[str]:
    for end in ("local", "peer"):
        yield from (str(row[f"{end}_address"]), str(row[f"{end}_port"]))


def _without_role(seen: Seen) -> Seen:
    """Those that tcptracer has a word for; it tells connects of clients only."""
    told = Seen()
    for (kind, role, *ends), count in seen.items():
        if any(kind == word and (not of or role == of) for word, of in KINDS.values()):
            told[kind, *ends] += count
    return told


def _seen_by_rival(output: Path) -> Seen:
    """The same of tcptracer's lines: T PID COMM IP SADDR DADDR SPORT DPORT."""
    seen = Seen()
    for line in output.read_text().splitlines():
        words = line.split()
        if words[0] in KINDS:
            source, peer, port, peer_port = words[-4:]
            seen[KINDS[words[0]][0], source, port, peer, peer_port] += 1
    return seen


def _open_among_sitters(tell: Tell) -> None:
    """Tells after each step, for all of them together take minutes."""
    with sitting(SITTERS):
        began_s = time.process_time()
        threads_in_accept()
        tell("scan", seconds=time.process_time() - began_s)
        began_s = time.process_time()
        with KprobeTier(Config()):
            tell("open", seconds=time.process_time() - began_s)


if __name__ == "__main__":
    main()
