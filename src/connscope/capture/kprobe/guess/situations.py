"""Connections of our own of which we know everything: what the offset guess compares with.

All of it stays on loopback and in this process. Each connection has ports, addresses, numbers of
bytes, an owner and options of its own, by chance, so that no constant is taken for any of them.
"""

from __future__ import annotations

import array
import errno
import ipaddress
import os
import random
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import NamedTuple

from connscope.capture.kprobe.guess.candidates import Fact, equal
from connscope.capture.kprobe.guess.facts import (
    INFO,
    SACKED_AT,
    STATE_AT,
    UNACKED_AT,
    number_at,
    reports_of,
)
from connscope.row.words import State

__all__ = ("Known", "situations")

PATIENCE_S = 0.6
SO_BINDTODEVICE = 25
SO_ATTACH_FILTER = 26
TCP_QUICKACK = 12
IPV6_FREEBIND = 78
LINGER_0 = struct.pack("ii", 1, 0)
DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF_RET | BPF_K, 0

DONE, URGENT_INLINE, KEEP_OPEN, LINGER, BROADCAST = 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 6
FLAGS = DONE | URGENT_INLINE | KEEP_OPEN | LINGER | BROADCAST
RCV_SHUTDOWN = 1


class Known(NamedTuple):
    """A socket and what only who made it knows of it.

    Attributes:
        connection: a number.
        situation: in words.
        socket: of ours.
        facts: what the kernel is not asked for.
    """

    connection: int
    situation: str
    socket: socket.socket
    facts: dict[str, Fact]


def situations(chance: random.Random, *, has_ipv6: bool) -> Iterator[Known]:
    """All of them, one after the other; each is over when the next one is asked for."""
    plays = [_established, _established, _retransmitting, _retransmitting_more, _half_closed,
             _half_closed, _shut, _refused, _reset, _waiting, _waiting, _listening,
             _listening_more]  # fmt: skip
    if has_ipv6:
        plays += [_v6, _v6]
    for number, play in enumerate(plays):
        with play(chance) as (made, told):
            facts = told | _marks(made, chance, told)
            yield Known(number, play.__name__.strip("_").replace("_", " "), made, facts)


@contextmanager
def _connected(
    chance: random.Random,
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Client and server on addresses of 127.0.0.0/8."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((_loopback(chance), 0))
        listener.listen(1)
        client = stack.enter_context(socket.socket())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)
        client.bind((_loopback(chance), 0))
        client.settimeout(PATIENCE_S)
        client.connect(listener.getsockname())
        listener.settimeout(PATIENCE_S)
        server = stack.enter_context(listener.accept()[0])
        server.settimeout(PATIENCE_S)
        _talk(client, server, chance)
        yield client, server


def _loopback(chance: random.Random) -> str:
    return f"127.{chance.randrange(1, 255)}.{chance.randrange(256)}.{chance.randrange(2, 255)}"


def _talk(client: socket.socket, server: socket.socket, chance: random.Random) -> None:
    """Some there and some back; what came back last is not read, and not acknowledged yet."""
    for _ in range(chance.randrange(2, 5)):
        there, back = chance.randrange(100, 999), chance.randrange(1000, 1999)
        client.sendall(bytes(there))
        server.recv(there, socket.MSG_WAITALL)
        server.sendall(bytes(back))
        client.recv(back - chance.randrange(1, 50), socket.MSG_WAITALL)
    client.setsockopt(socket.IPPROTO_TCP, TCP_QUICKACK, 0)
    server.sendall(bytes(chance.randrange(2000, 2999)))


@contextmanager
def _established(chance: random.Random) -> Iterator[tuple[socket.socket, dict[str, Fact]]]:
    with _connected(chance) as (client, _):
        yield client, {}


@contextmanager
def _retransmitting(
    chance: random.Random, times: int = 1
) -> Iterator[tuple[socket.socket, dict[str, Fact]]]:
    """The peer's filter drops everything: some is on its way, some is sent again, some waits."""
    with _connected(chance) as (client, server):
        _drop_all(server)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(2):
            client.send(bytes(chance.randrange(100, 999)))
        at, width = INFO["total_retrans"]
        end = time.monotonic() + PATIENCE_S
        while number_at(reports_of(client), at, width) < times and time.monotonic() < end:
            time.sleep(0.002)
        if times > 1:  # urgent data moves a number that is else that of what is acknowledged
            client.send(b"!", socket.MSG_OOB)
        # Not before: what has not been sent yet would be sent first, to probe for the loss.
        client.send(bytes(chance.randrange(100, 999)), socket.MSG_MORE)
        yield client, {}


def _retransmitting_more(
    chance: random.Random,
) -> AbstractContextManager[tuple[socket.socket, dict[str, Fact]]]:
    return _retransmitting(chance, 2)


def _drop_all(receiver: socket.socket) -> None:
    code = array.array("B", DROP_ALL)
    program = struct.pack("HP", 1, code.buffer_info()[0])
    receiver.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


@contextmanager
def _half_closed(chance: random.Random) -> Iterator[tuple[socket.socket, dict[str, Fact]]]:
    """The peer's FIN is in, and counted in nothing that the application reads."""
    with _connected(chance) as (client, server):
        server.shutdown(socket.SHUT_WR)
        yield client, {"flags": Fact(DONE, DONE), "shutdown": Fact(RCV_SHUTDOWN, RCV_SHUTDOWN, 3)}


@contextmanager
def _shut(chance: random.Random) -> Iterator[tuple[socket.socket, dict[str, Fact]]]:
    with _connected(chance) as (client, _):
        client.shutdown(socket.SHUT_RD)
        yield client, {"shutdown": Fact(RCV_SHUTDOWN, RCV_SHUTDOWN, 3)}


@contextmanager
def _refused(chance: random.Random) -> Iterator[tuple[socket.socket, dict[str, Fact]]]:
    with socket.socket() as nobody, socket.socket() as client:
        nobody.bind((_loopback(chance), 0))
        client.setblocking(False)
        client.connect_ex(nobody.getsockname())
        _until_error(client)
        yield client, {"error": equal(errno.ECONNREFUSED), "shutdown": Fact(3, 3, 3)}


@contextmanager
def _reset(chance: random.Random) -> Iterator[tuple[socket.socket, dict[str, Fact]]]:
    with _connected(chance) as (client, server):
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)
        server.close()
        _until_error(client)
        yield client, {"error": equal(errno.ECONNRESET), "shutdown": Fact(3, 3, 3)}


def _until_error(failing: socket.socket) -> None:
    """Waits without reading the error, which would clear it."""
    poll = select.poll()
    poll.register(failing, 0)
    poll.poll(PATIENCE_S * 1000)


@contextmanager
def _waiting(chance: random.Random) -> Iterator[tuple[socket.socket, dict[str, Fact]]]:
    """The queue of the listener is full, so nobody answers its SYN."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((_loopback(chance), 0))
        listener.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.bind((_loopback(chance), 0))
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            if reports_of(client)[STATE_AT] == State.SYN_SENT:
                break
        yield client, {}


@contextmanager
def _listening(
    chance: random.Random, waiting: int = 2
) -> Iterator[tuple[socket.socket, dict[str, Fact]]]:
    """With some that wait to be accepted."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((_loopback(chance), 0))
        listener.listen(chance.randrange(20, 60) * waiting)
        for _ in range(waiting):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)
            client.settimeout(PATIENCE_S)
            client.connect(listener.getsockname())
        info = reports_of(listener)
        yield (
            listener,
            {
                "backlog": equal(number_at(info, UNACKED_AT, 4)),
                "backlog_max": equal(number_at(info, SACKED_AT, 4)),
            },
        )


def _listening_more(
    chance: random.Random,
) -> AbstractContextManager[tuple[socket.socket, dict[str, Fact]]]:
    return _listening(chance, 7)


@contextmanager
def _v6(chance: random.Random) -> Iterator[tuple[socket.socket, dict[str, Fact]]]:
    """A connect that fails: the kernel has noted the address before it looks for a route. It is
    bound to loopback, which has none, so that nothing is sent."""
    ours, theirs = (_documented(chance) for _ in range(2))
    with socket.socket(socket.AF_INET6) as client:
        client.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, b"lo\0")
        client.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        client.setblocking(False)
        client.bind((ours, 0))
        client.connect_ex((theirs, chance.randrange(1024, 65536)))
        facts = {"family": equal(socket.AF_INET6)}
        for name, address in (("saddr_v6", ours), ("daddr_v6", theirs)):
            packed = ipaddress.ip_address(address).packed
            facts[name] = equal(int.from_bytes(packed, sys.byteorder))
        yield client, facts


def _documented(chance: random.Random) -> str:
    """An address of 2001:db8::/32, which nobody has."""
    return str(ipaddress.IPv6Address(0x20010DB8 << 96 | chance.getrandbits(96)))


def _marks(made: socket.socket, chance: random.Random, facts: dict[str, Fact]) -> dict[str, Fact]:
    """Gives a socket options and an owner by chance, and says which."""
    flags = facts.get("flags", equal(0)).low
    for bit, option in ((KEEP_OPEN, socket.SO_KEEPALIVE), (BROADCAST, socket.SO_BROADCAST),
                        (URGENT_INLINE, socket.SO_OOBINLINE)):  # fmt: skip
        wanted = chance.randrange(2)
        made.setsockopt(socket.SOL_SOCKET, option, wanted)
        flags |= bit if wanted else 0
    if number_at(made.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8), 0, 4):
        flags |= LINGER
    marks = {"flags": Fact(flags, flags, FLAGS)}
    uid = chance.randrange(1 << 20, 1 << 30)
    with suppress(OSError):
        os.fchown(made.fileno(), uid, -1)
        marks["uid"] = equal(uid)
    return marks
