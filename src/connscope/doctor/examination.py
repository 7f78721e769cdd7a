"""Tries every program that connscope has, and a connection of its own."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass, replace

from connscope.capture.btf import BtfTier
from connscope.config import Config
from connscope.doctor.machine import Machine, look_at_machine
from connscope.errors import FailedError, NotPermittedError
from connscope.kernel.feature import Outcome, probe
from connscope.row.words import Kind

__all__ = ("Examination", "Trial", "examine")

SELF_TEST_S = 2.0
SYSTEM_CALLS = 20_000
ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Trial:
    """One program or set of programs, tried.

    Attributes:
        outcome: what became of it.
        gives: what connscope sees with it.
        note: what it costs, or what it showed; may be empty.
    """

    outcome: Outcome
    gives: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """All that was found.

    Attributes:
        machine: the facts.
        trials: in the order of importance; the first one is what everything rests on.
        conclusion: one sentence.
        command: what mends it; empty if there is nothing to mend or nothing that can.
    """

    machine: Machine
    trials: tuple[Trial, ...]
    conclusion: str
    command: str


def examine() -> Examination:
    """Loads and attaches each program for a moment and takes it away again."""
    core = Trial(probe("btf", _see_own_connection), "TCP connections of all network namespaces")
    trials = [core]
    if core.outcome.works:
        trials += _try_parts()
    machine = look_at_machine()
    return Examination(machine, tuple(trials), *conclude(core.outcome, machine))


def _see_own_connection() -> None:
    """Opens the tier and a connection to ourselves, and waits for its rows.

    Raises:
        KernelError: the tier can not be opened, or does not see the connection.
    """
    with BtfTier(Config(accept_owner="listener", ring_bytes=1 << 20)) as tier:
        port = _connect_to_ourselves()
        end = time.monotonic() + SELF_TEST_S
        while (left := end - time.monotonic()) > 0:
            tier.wait(left)
            rows = tier.events()
            opened = rows[(rows["kind"] == Kind.OPENED) & (rows["peer_port"] == port)]
            if os.getpid() in opened["pid"]:
                return
    raise FailedError("btf", f"attached, but saw no connection of its own in {SELF_TEST_S} s")


def _connect_to_ourselves() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        with socket.create_connection(address), listener.accept()[0]:
            return int(address[1])


def _try_parts() -> list[Trial]:
    with BtfTier(Config(accept_owner="auto", ring_bytes=1 << 20)) as tier:
        parts = tier.parts
    before_ns = _system_call_ns()
    with BtfTier(Config(accept_owner="exact", ring_bytes=1 << 20)) as tier:
        exact = tier.parts["accept owner"]
        tax_ns = _system_call_ns() - before_ns
    cost = f"costs every system call of this machine {tax_ns:+.0f} ns, measured now"
    return [
        Trial(parts["connect attempts"], "connects that never send a SYN: no route, denied"),
        Trial(parts["looks"], "sockets that are older than connscope, and their owners"),
        Trial(
            replace(parts["accept owner"], feature="accept owner by fexit"),
            "the accepting process, exact, for nothing",
        ),
        Trial(
            replace(exact, feature="accept owner by system call"),
            "the accepting process, exact, with --accept-owner exact",
            cost if exact.works else "",
        ),
    ]


def _system_call_ns() -> float:
    """What a trivial system call takes, from the fastest of several rounds."""
    return min(_one_round_ns() for _ in range(ROUNDS)) / SYSTEM_CALLS


def _one_round_ns() -> int:
    getppid, start_ns = os.getppid, time.perf_counter_ns()
    for _ in range(SYSTEM_CALLS):
        getppid()
    return time.perf_counter_ns() - start_ns


def conclude(core: Outcome, machine: Machine) -> tuple[str, str]:
    """The sentence and the command that follow from the first trial."""
    if core.works:
        return "connscope captures every TCP connection here, with btf.", ""
    if isinstance(core.error, NotPermittedError) and core.error.missing:
        needed = ", ".join(core.error.missing)
        return f"connscope may not capture as this user: it needs {needed}.", "sudo connscope trace"
    if not machine.libbpf:
        return "connscope can not capture: libbpf is missing.", "sudo apt-get install libbpf1"
    return f"connscope can not capture here: {core.reason}.", ""
