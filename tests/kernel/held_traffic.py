"""Traffic in a process of its own that waits, before something closes, until somebody has looked.

Before a party closes, the process says which connections it has open, and goes on when it is told
to. So also a tier that only looks has the time to see them, and nobody sleeps.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from weakref import WeakKeyDictionary, WeakSet

from tests.kernel.recorder import PATIENCE_S
from tests.kernel.residents import Residents
from tests.traffic.party import Party
from tests.traffic.report import End

__all__ = ("Hold", "Open", "Play", "Traffic", "hold")

Play = Callable[[], Iterable[End]]
"""Makes known traffic; each of its parties is a `Party`."""

SO_COOKIE = 57
NOT_OPEN = (2, 3, 7)
"""SYN_SENT, SYN_RECV, CLOSE: a socket in these states has no connection."""


@dataclass(frozen=True)
class Open:
    """One end that is open while its process waits.

    Attributes:
        role: of whoever made it, ``client`` or ``server``.
        local: as an `End` has it.
        peer: the same.
        netns: inode of its network namespace.
        is_found: that namespace has a process, so that it is found without BPF.
        protocol: ``tcp``, ``mptcp`` or ``udp``.
        cookie: of the socket.
        inode: of its file.
        sent: payload bytes so far.
        received: the same, read or not.
    """

    role: str
    local: str
    peer: str
    netns: int
    is_found: bool
    protocol: str
    cookie: int
    inode: int
    sent: int
    received: int


@dataclass
class Hold:
    """A process that waits: what it has open, and what it waits for."""

    opened: tuple[Open, ...]
    _waiting: socket.socket
    _since_s: float = field(default_factory=time.monotonic)

    @property
    def age_s(self) -> float:
        """For how long it has waited."""
        return time.monotonic() - self._since_s

    def release(self) -> None:
        """Lets it go on."""
        self._waiting.sendall(b"!")
        self._waiting.close()


@dataclass
class Traffic:
    """Processes that make traffic.

    Attributes:
        ends: what those that are done have made, in their order.
        opened: all that ever was open while they waited.
        started_ns: when the first began, CLOCK_BOOTTIME.
        process_start_ns: of each process by its pid, as far as clock ticks tell.
    """

    ends: list[End] = field(default_factory=list)
    opened: list[Open] = field(default_factory=list)
    started_ns: int = field(default_factory=lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME))
    process_start_ns: dict[int, int] = field(default_factory=dict)
    _callers: list[socket.socket] = field(default_factory=list)

    @contextmanager
    def making(self, *plays: Play, residents: bool = False) -> Iterator[Iterator[Hold | None]]:
        """Starts a process for each; what it gives has each wait, until all are done.

        Args:
            plays: what each process does.
            residents: a process lives in each network namespace that has a connection.
        """
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as door:
            door.bind(f"{folder}/door")
            door.listen(128)
            pids = [_start(play, f"{folder}/door", residents) for play in plays]
            for pid in pids:
                self.process_start_ns[pid] = _started_ns(pid)
            try:
                yield self._holds(door, len(plays))
            except BaseException:
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
                raise
            finally:
                for pid in pids:
                    os.waitpid(pid, 0)
                for caller in self._callers:
                    caller.close()

    def _holds(self, door: socket.socket, running: int) -> Iterator[Hold | None]:
        """Each wait as it comes; None whenever there was none for a moment."""
        door.settimeout(0.02)
        last_s = time.monotonic()
        while running:
            try:
                caller = door.accept()[0]
            except TimeoutError:
                assert time.monotonic() - last_s < 2 * PATIENCE_S, "the traffic hangs"
                yield None
                continue
            last_s = time.monotonic()
            self._callers.append(caller)
            caller.settimeout(PATIENCE_S)
            said = json.loads(caller.makefile("rb").readline())
            assert "failure" not in said, said["failure"]
            if "ends" in said:
                self.ends += [End(**end) for end in said["ends"]]
                caller.close()
                running -= 1
            else:
                opened = tuple(Open(**each) for each in said["opened"])
                self.opened += opened
                yield Hold(opened, caller)

    @property
    def found_namespaces(self) -> set[int]:
        """Those that had a process."""
        return {each.netns for each in self.opened if each.is_found}


def _started_ns(pid: int) -> int:
    """When a process began, from /proc."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return ticks * 10**9 // os.sysconf("SC_CLK_TCK")


def _start(play: Play, door: str, residents: bool) -> int:
    pid = os.fork()
    if not pid:
        _run(play, _Doorman(door, residents))
    return pid


def _run(play: Play, doorman: _Doorman) -> NoReturn:
    """Never comes back into the test."""
    _DOORMEN.append(doorman)
    try:
        doorman.watch_parties()
        doorman.tell({"ends": [asdict(end) for end in play()]})
    except BaseException:  # noqa: BLE001 -- the test raises it again
        doorman.tell({"failure": traceback.format_exc()})
    finally:
        doorman.dismiss()
        sys.stdout.flush()
        os._exit(0)


class _Doorman:
    """Lets no party of this process out before somebody says so."""

    def __init__(self, door: str, residents: bool) -> None:
        self._door, self._residents = door, Residents() if residents else None
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._parties = WeakSet[Party]()
        self._leave = WeakKeyDictionary[Party, threading.Event]()

    def watch_parties(self) -> None:
        """From now on each party waits here once, with all others that are open then."""
        made, closed = Party.__init__, Party.close

        def make(party: Party, *arguments: Any, **named: Any) -> None:
            made(party, *arguments, **named)
            with self._lock:
                self._parties.add(party)

        def close(party: Party) -> End:
            self.wait(party)
            return closed(party)

        for name, watched in (("__init__", make), ("close", close)):
            setattr(Party, name, watched)
        if self._residents:
            self._residents.watch_namespaces()

    def wait(self, party: Party | None = None) -> None:
        """Says what is open, unless that was said before, and waits for the answer.

        Args:
            party: who wants to close; None: nobody does yet.
        """
        with self._lock:
            leave = self._leave.get(party) if party else None
            chosen = [each for each in self._parties if each.socket.fileno() >= 0]
            if not leave:
                leave = threading.Event()
                self._parties.difference_update(chosen)
                self._leave.update(dict.fromkeys(chosen, leave))
                answer = self._announce(chosen)
            else:
                answer = None
        if answer:
            with answer:
                assert answer.recv(1) == b"!"
            leave.set()
        assert leave.wait(2 * PATIENCE_S)

    def _announce(self, chosen: list[Party]) -> socket.socket:
        here = Path("/proc/self/ns/net").stat().st_ino
        if self._residents:
            for party in chosen:
                self._residents.settle(party.socket, party.netns, here)
        opened = [self._describe(each, here) for each in chosen if _is_open(each)]
        return self._call({"opened": [asdict(each) for each in opened]})

    def _describe(self, party: Party, here: int) -> Open:
        end = party.end()
        cookie = struct.unpack("Q", party.socket.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0]
        is_found = party.netns == here or bool(self._residents and party.netns in self._residents)
        return Open(
            end.role, end.local, end.peer, end.netns, is_found, end.protocol, cookie,
            os.fstat(party.socket.fileno()).st_ino, party.sent, party.received,
        )  # fmt: skip

    def tell(self, said: dict[str, Any]) -> None:
        """Says something and does not wait."""
        self._call(said).close()

    def _call(self, said: dict[str, Any]) -> socket.socket:
        caller = socket.socket(socket.AF_UNIX)
        caller.settimeout(2 * PATIENCE_S)
        caller.connect(self._door)
        caller.sendall(json.dumps(said).encode() + b"\n")
        return caller

    def dismiss(self) -> None:
        """Ends the residents; children of this process have none."""
        if self._residents and os.getpid() == self._pid:
            self._residents.dismiss()


_DOORMEN: list[_Doorman] = []
"""The one of this process, if it makes traffic."""


def hold() -> None:
    """In a process that makes traffic: waits here already. What is open now waits at no close."""
    for doorman in _DOORMEN:
        doorman.wait()


def _is_open(party: Party) -> bool:
    if party.socket.type != socket.SOCK_STREAM or party.socket.proto == socket.IPPROTO_MPTCP:
        return True
    return party.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] not in NOT_OPEN
