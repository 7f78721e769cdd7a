"""Observes sockets of ours in the kernel for the offset guess, and keeps what was found."""

from __future__ import annotations

import os
import random
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from connscope.capture.kprobe.guess.candidates import Fact, Observation, OffsetGuess, equal
from connscope.capture.kprobe.guess.facts import counters_of, facts_of, reports_of
from connscope.capture.kprobe.guess.fields import Part
from connscope.capture.kprobe.guess.situations import Known, situations
from connscope.capture.objects import object_path
from connscope.errors import FailedError
from connscope.kernel import BpfObject
from connscope.kernel.kprobes import Kprobes
from connscope.kernel.procfs.processes import TICKS_PER_S
from connscope.kernel.resource import Resource

__all__ = ("Witness", "guess_offsets")

OBSERVATION = np.dtype(
    [
        ("wanted", np.uint32),
        ("follow", np.uint32),
        ("name", np.void, 16),
        ("thread", np.uint64),
        ("base", np.uint64),
        ("task", np.uint64),
        ("memory", np.void, 4096),
        ("task_memory", np.void, 8192),
        ("followed", np.void, 1024),
    ]
)
"""``struct observation`` of kprobe_guess.bpf.c."""

WANT_SOCKET, WANT_FILE = 1, 2
NOTHING = 0xFFFFFFFF
ONLY_KEY = bytes(4)
OWN_NAME = Path("/proc/thread-self/comm")
TIME_LIMIT_S = 10.0
"""An idle machine takes less than two; a busy one may take longer."""

CONNECTIONS_MAX = 300
TRIES = 3
FLAGS_AT, START_AT = 9 - 3, 22 - 3  # of proc(5); what follows the name begins with field 3


class Witness(Resource):
    """Sees memory of the kernel when this thread asks about a socket.

    Args:
        kprobes: the probes of this process.

    Raises:
        KernelError: not supported, not permitted or failed.
    """

    def __init__(self, kprobes: Kprobes) -> None:
        self._object = BpfObject(object_path("kprobe_guess"))
        self._stack = ExitStack()
        self._stack.push(self._object)
        try:
            self._object.load()
            programs = self._object.programs
            for name, function in (("observe_socket", "tcp_getsockopt"),
                                   ("observe_file", "fd_install")):  # fmt: skip
                self._stack.enter_context(kprobes.attach(programs[name], function))
        except BaseException:
            self.close()
            raise

    def see(self, kind: int, ask: Callable[[], object], follow: int = NOTHING) -> Any:
        """What was seen when this thread asked, one `OBSERVATION`.

        Args:
            kind: `WANT_SOCKET` or `WANT_FILE`.
            ask: makes the call.
            follow: the place of a pointer whose target is wanted too.

        Raises:
            FailedError: the probe saw nothing.
        """
        observations = self._object.maps["observations"]
        with own_name() as name:
            wanted = np.zeros(1, OBSERVATION)
            wanted["wanted"], wanted["follow"] = kind, follow
            wanted["name"] = np.void(name.ljust(16, b"\0"))
            observations.set(ONLY_KEY, wanted.tobytes())
            ask()
            content = observations.get(ONLY_KEY) or b""
        seen = np.frombuffer(content, OBSERVATION)[0]
        if seen["wanted"]:
            raise FailedError("guessing field offsets", "the probe did not see our own call")
        return seen

    def close(self) -> None:
        """Takes the probes away; a second call does nothing."""
        self._stack.close()


@contextmanager
def own_name() -> Iterator[bytes]:
    """Gives this thread a name that nobody else has, for a moment."""
    before, name = OWN_NAME.read_bytes().rstrip(b"\n"), secrets.token_hex(7).encode()
    OWN_NAME.write_bytes(name)
    try:
        yield name
    finally:
        OWN_NAME.write_bytes(before)


def guess_offsets(kprobes: Kprobes) -> OffsetGuess:
    """Finds the fields of the running kernel; the guess, solved.

    What disturbed one guess does not disturb the next one: it is made again before it is given up.

    Raises:
        KernelError: the memory can not be seen, or a field that is required was not found.
    """
    for _ in range(TRIES - 1):
        try:
            return _guess_once(kprobes)
        except FailedError:
            continue
    return _guess_once(kprobes)


def _guess_once(kprobes: Kprobes) -> OffsetGuess:
    has_ipv6 = Path("/proc/net/if_inet6").exists()
    guess, end = OffsetGuess(has_ipv6=has_ipv6), time.monotonic() + TIME_LIMIT_S
    chance = random.Random(secrets.randbits(64))  # noqa: S311  no secret: values that vary
    with Witness(kprobes) as witness:
        for known in situations(chance, has_ipv6=has_ipv6):
            if time.monotonic() > end or guess.connections >= CONNECTIONS_MAX:
                raise FailedError("guessing field offsets", f"not done after {TIME_LIMIT_S} s")
            guess.take(_observe(witness, known))
            if known.connection < 2:
                _follow_netns(witness, known, guess)
        _follow_files(witness, guess)
        _look_at_other_thread(witness, guess)
    guess.solve()
    return guess


def _observe(witness: Witness, known: Known) -> Observation:
    seen, facts, report = _see_at_rest(witness, known)
    facts |= counters_of(report)
    name = int.from_bytes(seen["name"].tobytes(), "little")
    facts |= _facts_of_task() | {"task_comm": equal(name)}
    if threading.get_native_id() == os.getpid():
        facts["task_leader"] = equal(int(seen["task"]))
    memory = {
        Part.SOCKET: seen["memory"].tobytes(),
        Part.TASK: seen["task_memory"].tobytes(),
    }
    return Observation(known.connection, memory, facts, {}, known.situation)


def _see_at_rest(witness: Witness, known: Known) -> tuple[Any, dict[str, Fact], bytes]:
    """What was seen, is known, and was reported, with nothing that changed meanwhile: on a busy
    machine what is on its way may arrive at any time."""
    reports = list[bytes]()
    for _ in range(TRIES):
        facts = facts_of(known.socket, known.facts)
        seen = witness.see(WANT_SOCKET, lambda: reports.append(reports_of(known.socket)))
        if facts == facts_of(known.socket, known.facts):
            break
    return seen, facts, reports[-1]


def _look_at_other_thread(witness: Witness, guess: OffsetGuess) -> None:
    """What is the same in all that one thread does differs in another one: when it began, and how
    it came to be."""
    number = guess.connections

    def look() -> None:
        with socket.socket() as made:
            seen = witness.see(WANT_SOCKET, lambda: reports_of(made))
            memory = {Part.TASK: seen["task_memory"].tobytes()}
            guess.take(Observation(number, memory, _facts_of_task(), {}, "another thread"))

    with ThreadPoolExecutor(1) as other:
        other.submit(look).result()


def _facts_of_task() -> dict[str, Fact]:
    stat = Path("/proc/thread-self/stat").read_text(encoding="utf-8", errors="replace")
    fields = stat.rpartition(")")[2].split()
    start_ns = int(fields[START_AT]) * (10**9 // TICKS_PER_S)
    last_ns = start_ns + 10**9 // TICKS_PER_S - 1
    return {"task_flags": equal(int(fields[FLAGS_AT])), "task_start": Fact(start_ns, last_ns)}


def _follow_netns(witness: Witness, known: Known, guess: OffsetGuess) -> None:
    """Looks behind each pointer of the socket for the number of our network namespace."""
    inode = Path("/proc/thread-self/ns/net").stat().st_ino
    followed = {}
    memory = b""
    for at in guess.pointers("netns"):
        seen = witness.see(WANT_SOCKET, lambda: reports_of(known.socket), at)
        followed[Part.SOCKET, at] = seen["followed"].tobytes()
        memory = seen["memory"].tobytes()
    facts = {"netns_inode": equal(inode)}
    guess.take(Observation(known.connection, {Part.SOCKET: memory}, facts, followed, "netns"))


def _follow_files(witness: Witness, guess: OffsetGuess) -> None:
    """Looks behind each pointer of a socket's file for the pointer to the socket itself."""
    for number in range(2):
        with socket.socket() as made:
            base = int(witness.see(WANT_SOCKET, lambda: reports_of(made))["base"])
            memory = witness.see(WANT_FILE, lambda: os.close(os.dup(made.fileno())))["memory"]
            facts, followed = {"socket_sock": equal(base)}, {}
            guess.take(Observation(number, {Part.FILE: memory.tobytes()}, {}, {}))
            for at in guess.pointers("file_socket"):
                seen = witness.see(WANT_FILE, lambda: os.close(os.dup(made.fileno())), at)
                followed[Part.FILE, at] = seen["followed"].tobytes()
        parts = {Part.FILE: memory.tobytes()}
        guess.take(Observation(number, parts, facts, followed, "file of a socket"))
