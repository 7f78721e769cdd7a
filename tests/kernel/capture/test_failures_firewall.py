"""Connects that a firewall, a full queue or a silent peer ends, from one namespace to another.

Each takes the kernel a second or three, so all of them wait at once, each with its own port.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from connscope.capture.btf.tier import BtfTier
from connscope.config import Config
from connscope.row.words import Failure, Kind
from tests.kernel.capture.test_failures import Attempt
from tests.kernel.namespace import NamespacePair
from tests.kernel.recorder import Recorder

HERE, HERE6, MAPPED = (
    NamespacePair.right_address,
    NamespacePair.right_address6,
    f"::ffff:{NamespacePair.right_address}",
)
NOBODY, NOBODY6 = "10.77.0.77", "fd77::77"
FIRST_PORT = 6000


@dataclass(frozen=True)
class Case:
    """What the peer's firewall does with the SYN (empty: nothing), what the application is told."""

    rule: str
    address: str
    error: int
    failure: Failure


CASES = {
    "drop": Case("drop", HERE, errno.ETIMEDOUT, Failure.TIMEOUT),
    "drop, IPv6": Case("drop", HERE6, errno.ETIMEDOUT, Failure.TIMEOUT),
    "drop, v4-mapped": Case("drop", MAPPED, errno.ETIMEDOUT, Failure.TIMEOUT),
    "reset": Case("reject with tcp reset", HERE, errno.ECONNREFUSED, Failure.REFUSED),
    "reset, IPv6": Case("reject with tcp reset", HERE6, errno.ECONNREFUSED, Failure.REFUSED),
    "no listener": Case("", HERE, errno.ECONNREFUSED, Failure.REFUSED),
    "no listener, IPv6": Case("", HERE6, errno.ECONNREFUSED, Failure.REFUSED),
    "no listener, v4-mapped": Case("", MAPPED, errno.ECONNREFUSED, Failure.REFUSED),
    "full accept queue": Case("", HERE, errno.ETIMEDOUT, Failure.TIMEOUT),
    "nobody answers ARP": Case("", NOBODY, errno.ETIMEDOUT, Failure.TIMEOUT),
    "nobody answers NDP": Case("", NOBODY6, errno.ETIMEDOUT, Failure.TIMEOUT),
    **{
        reason: Case(f"reject with icmp type {reason}", HERE, error, failure)
        for reason, error, failure in (
            ("port-unreachable", errno.ECONNREFUSED, Failure.REFUSED),
            ("host-unreachable", errno.EHOSTUNREACH, Failure.UNREACHABLE),
            ("net-unreachable", errno.ENETUNREACH, Failure.UNREACHABLE),
            ("net-prohibited", errno.ENETUNREACH, Failure.UNREACHABLE),
            ("host-prohibited", errno.EHOSTUNREACH, Failure.UNREACHABLE),
            ("admin-prohibited", errno.EHOSTUNREACH, Failure.UNREACHABLE),
            ("prot-unreachable", errno.ENOPROTOOPT, Failure.UNKNOWN),
        )
    },
    **{
        f"{reason}, IPv6": Case(f"reject with icmpv6 type {reason}", HERE6, error, failure)
        for reason, error, failure in (
            ("port-unreachable", errno.ECONNREFUSED, Failure.REFUSED),
            ("addr-unreachable", errno.EHOSTUNREACH, Failure.UNREACHABLE),
            ("no-route", errno.ENETUNREACH, Failure.UNREACHABLE),
            ("admin-prohibited", errno.EACCES, Failure.UNKNOWN),
        )
    },
}
PORTS = {name: FIRST_PORT + place for place, name in enumerate(CASES)}


@dataclass(frozen=True)
class Outcome:
    """What the application, the peer's firewall and the row say of one case."""

    attempt: Attempt
    met: int
    row: Any


def fill_queue(pair: NamespacePair, port: int, stack: ExitStack) -> None:
    """A listener at the peer that has as many waiting as it may: it drops further SYNs."""
    stack.enter_context(pair.right.listener(HERE, port, backlog=0))
    stack.enter_context(pair.left.tcp()).connect((HERE, port))


@pytest.fixture(scope="module")
def outcomes() -> Iterator[dict[str, Outcome]]:
    """All cases, tried at the same time by one thread each."""
    with NamespacePair() as pair, ExitStack() as stack:
        recorder = Recorder(stack.enter_context(BtfTier(Config())))
        pair.left.set("ipv4/tcp_syn_retries", 1)
        pair.right.set("ipv4/icmp_ratelimit", 0)
        pair.right.set("ipv6/icmp/ratelimit", 0)
        fill_queue(pair, PORTS["full accept queue"], stack)
        pair.right.filter(
            "\n".join(f"tcp dport {PORTS[name]} counter {CASES[name].rule}" for name in CASES)
        )

        def attempt(name: str) -> Attempt:
            case = CASES[name]
            family = socket.AF_INET6 if ":" in case.address else socket.AF_INET
            client = stack.enter_context(pair.left.tcp(family))
            return Attempt.make(client, case.address, PORTS[name])

        with ThreadPoolExecutor(len(CASES)) as threads:
            attempts = list(threads.map(attempt, CASES))
        met = pair.right.filtered()
        rows = [recorder.one(PORTS[name], Kind.FAILED, netns=pair.left.inode) for name in CASES]
        yield dict(zip(CASES, map(Outcome, attempts, met, rows), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_the_row_says_what_the_application_was_told(
    outcomes: dict[str, Outcome], name: str
) -> None:
    """Word, errno, process, peer and times, for every answer of a firewall."""
    case, outcome = CASES[name], outcomes[name]

    assert outcome.attempt.error == case.error
    outcome.attempt.check(outcome.row, case.failure)


@pytest.mark.parametrize("name", [name for name in CASES if "nobody" not in name])
def test_syns_are_counted_as_the_firewall_counts_them(
    outcomes: dict[str, Outcome], name: str
) -> None:
    """What the row says was sent is what the peer's nftables met; all but one are retransmits."""
    outcome = outcomes[name]

    assert outcome.met >= 1
    assert outcome.row["segments_sent"] == outcome.met
    assert outcome.row["retransmits"] == outcome.met - 1
