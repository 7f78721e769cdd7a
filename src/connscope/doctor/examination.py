"""Tries every program that connscope has, and a connection of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from connscope.capture.btf.accept_owner import BY_CALL, BY_FEXIT
from connscope.capture.btf.tier import BtfTier
from connscope.capture.contract import CONTRACT, Certainty
from connscope.capture.kprobe.tier import KprobeTier
from connscope.capture.ladder import LADDER, make_tier, see_own_connection
from connscope.capture.tier import CaptureTier
from connscope.config import Config
from connscope.doctor.conntrack import try_conntrack
from connscope.doctor.machine import Machine, look_at_machine
from connscope.kernel.feature import Outcome, probe
from connscope.row.words import Group, Tier, word

__all__ = ("Examination", "Trial", "examine")

SYSTEM_CALLS = 20_000
ROUNDS = 7
UDP_CONFIG = Config(accept_owner="listener", ring_bytes=1 << 20, udp=True)
UDP_COSTS = {
    "udp_calls": "hooks sock_send_length, sock_recv_length, cgroup sendmsg4/6, recvmsg4/6 and "
    "sock_release, inet_sk_error_report; about 85 ns for each send and receive of TCP, 110 of "
    "connected UDP, 360 of a UDP call that names its peer; see docs/udp.md",
    "udp_fexit": "hooks the functions of UDP that send and receive by fexit, cgroup sock_release, "
    "inet_sk_error_report; nothing of TCP's; see docs/udp.md",
    "kprobe_udp": "probes the calls and returns of the functions of UDP that send and receive, "
    "and sock_def_error_report; cgroup sock_release; nothing of TCP's; see docs/udp.md",
    "": "",
}


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
class Rung:
    """One way to capture, tried.

    Attributes:
        tier: which one.
        outcome: what became of it.
        limits: what it can not see here, a sentence each.
    """

    tier: Tier
    outcome: Outcome
    limits: tuple[str, ...] = ()

    @property
    def groups(self) -> Mapping[Group, Certainty]:
        """How well it knows each group of columns."""
        return CONTRACT[self.tier]


@dataclass(frozen=True, slots=True)
class Examination:
    """All that was found.

    Attributes:
        machine: the facts.
        ladder: the ways to capture, best first.
        trials: the programs of btf; without it, of kprobe what is optional.
        conclusion: one sentence.
        command: what mends it; empty if there is nothing to mend or nothing that can.
    """

    machine: Machine
    ladder: tuple[Rung, ...]
    trials: tuple[Trial, ...]
    conclusion: str
    command: str


def examine() -> Examination:
    """Loads and attaches each program for a moment and takes it away again."""
    config = Config(accept_owner="listener", ring_bytes=1 << 20)
    ladder = tuple(_try_tier(tier, make_tier(tier, config)) for tier in LADDER)
    core = Trial(ladder[0].outcome, "TCP connections of all network namespaces")
    trials = [core, *_try_parts()] if core.outcome.works else [core, *_try_parts_of_kprobe(ladder)]
    trials.append(Trial(*try_conntrack()))
    machine = look_at_machine()
    return Examination(machine, ladder, tuple(trials), *conclude(ladder, machine))


def _try_tier(tier: Tier, made: CaptureTier) -> Rung:
    """Opens it, sees a connection to ourselves with it, and closes it."""
    limits: tuple[str, ...] = ()

    def see() -> None:
        nonlocal limits
        with made:
            see_own_connection(made)
            limits = made.limits

    outcome = probe(word(tier), see)
    return Rung(tier, outcome, limits if tier != Tier.BTF else ())


def _try_parts() -> list[Trial]:
    with BtfTier(Config(accept_owner="auto", ring_bytes=1 << 20)) as tier:
        parts = tier.parts
    before_ns = _system_call_ns()
    with BtfTier(Config(accept_owner="exact", ring_bytes=1 << 20)) as tier:
        exact = tier.parts[BY_CALL]
        tax_ns = _system_call_ns() - before_ns
    cost = f"costs every system call of this machine {tax_ns:+.0f} ns, measured now"
    return [
        Trial(parts["connect attempts"], "connects that never send a SYN: no route, denied"),
        Trial(parts["looks"], "sockets that are older than connscope, and their owners"),
        Trial(parts[BY_FEXIT], "the accepting process, exact, for nothing"),
        Trial(
            exact,
            "the accepting process, exact, with --accept-owner exact",
            cost if exact.works else "",
        ),
        _try_udp(BtfTier(UDP_CONFIG)),
    ]


def _try_parts_of_kprobe(ladder: Sequence[Rung]) -> list[Trial]:
    """Where that is the best that there is."""
    works = any(rung.tier == Tier.KPROBE and rung.outcome.works for rung in ladder)
    return [_try_udp(KprobeTier(UDP_CONFIG))] if works else []


def _try_udp(made: BtfTier | KprobeTier) -> Trial:
    with made as tier:
        return Trial(
            replace(tier.parts["udp"], feature="UDP flows"),
            "bytes and datagrams of each UDP socket and peer, with udp = true",
            UDP_COSTS[tier.udp_way],
        )


def _system_call_ns() -> float:
    """What a trivial system call takes, from the fastest of several rounds."""
    return min(_one_round_ns() for _ in range(ROUNDS)) / SYSTEM_CALLS


def _one_round_ns() -> int:
    getppid, start_ns = os.getppid, time.perf_counter_ns()
    for _ in range(SYSTEM_CALLS):
        getppid()
    return time.perf_counter_ns() - start_ns


def conclude(ladder: Sequence[Rung], machine: Machine) -> tuple[str, str]:
    """The sentence and the command that follow from what became of the tiers."""
    best, core = next((rung for rung in ladder if rung.outcome.works), None), ladder[0].outcome
    if best is ladder[0]:
        return "connscope captures every TCP connection here, with btf.", ""
    if best:
        begin = f"connscope captures with {word(best.tier)} here, which sees less than btf"
    else:
        begin = "connscope can not capture here"
    if core.missing:
        return f"{begin}: that needs {', '.join(core.missing)}.", "sudo connscope trace"
    if not machine.libbpf:
        return f"{begin}: libbpf is missing.", "sudo apt-get install libbpf1"
    return f"{begin}: {core.reason}.", ""
