"""Every system call that moves bytes: one connection for each, both ways."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from tests.traffic.build import built
from tests.traffic.kinds import kind
from tests.traffic.party import BLOCK, Party, connect, loopback
from tests.traffic.report import End

Mover = Callable[[socket.socket, int], int]
"""Moves at most so many bytes over a socket; returns how many the kernel says it moved."""

SO_ZEROCOPY, MSG_ZEROCOPY = 60, 0x4000000
PIPE_BYTES = 1 << 16
SIZE, BACK = 3_000_001, 70_001
BUILDING = threading.Lock()  # both parties may be the first to want the program


def write(to: socket.socket, size: int) -> int:
    return os.write(to.fileno(), BLOCK[:size])


def read(of: socket.socket, size: int) -> int:
    return len(os.read(of.fileno(), min(size, len(BLOCK))))


def writev(to: socket.socket, size: int) -> int:
    return os.writev(to.fileno(), (BLOCK[: min(1, size)], BLOCK[1 : min(777, size)]))


def readv(of: socket.socket, size: int) -> int:
    return os.readv(of.fileno(), (bytearray(min(size, 7)), bytearray(max(size - 7, 0))))


def sendmsg(to: socket.socket, size: int) -> int:
    return to.sendmsg((BLOCK[: min(5, size)], BLOCK[5 : min(size, 100_000)]))


def recvmsg(of: socket.socket, size: int) -> int:
    return len(of.recvmsg(min(size, 50_000))[0])


def sendfile(to: socket.socket, size: int) -> int:
    file = os.memfd_create("body")
    try:
        os.truncate(file, size)
        return os.sendfile(to.fileno(), file, 0, size)
    finally:
        os.close(file)


def splice_in(to: socket.socket, size: int) -> int:
    outlet, inlet = os.pipe()
    try:
        left = size = os.write(inlet, BLOCK[: min(size, PIPE_BYTES)])
        while left:
            left -= os.splice(outlet, to.fileno(), left)
        return size
    finally:
        os.close(outlet)
        os.close(inlet)


def splice_out(of: socket.socket, size: int) -> int:
    outlet, inlet = os.pipe()
    try:
        return os.splice(of.fileno(), inlet, size)
    finally:
        os.close(outlet)
        os.close(inlet)


def recv(of: socket.socket, size: int) -> int:
    return len(of.recv(min(size, len(BLOCK))))


def recv_after_peeks(of: socket.socket, size: int) -> int:
    """Looks twice at what it then takes."""
    for _ in range(2):
        seen = len(of.recv(min(size, 10_000), socket.MSG_PEEK))
    return len(of.recv(seen))


def recv_discarding(of: socket.socket, size: int) -> int:
    """MSG_TRUNC takes bytes out of a TCP socket without copying them."""
    return of.recv_into(bytearray(100_000), min(size, 100_000), socket.MSG_TRUNC)


def recv_all(of: socket.socket, size: int) -> int:
    return len(of.recv(min(size, 1_000_000), socket.MSG_WAITALL))


def send_zerocopy(to: socket.socket, size: int) -> int:
    """Sends pages in place; waits for the kernel to give them back."""
    to.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
    sent = to.send(BLOCK[: min(size, 200_000)], MSG_ZEROCOPY)
    poll = select.poll()
    poll.register(to, 0)  # POLLERR, the error queue
    poll.poll()
    to.recvmsg(0, 512, socket.MSG_ERRQUEUE)
    return sent


def send_without_waiting(to: socket.socket, size: int) -> int:
    """As much as fits right now: the kernel takes a part of it, or nothing."""
    poll = select.poll()
    poll.register(to, select.POLLOUT)
    poll.poll()
    try:
        return to.send(BLOCK[:size], socket.MSG_DONTWAIT)
    except BlockingIOError:
        return 0


def by_program(program: str, call: str) -> Mover:
    """A mover in C, for calls that Python has not."""

    def move(over: socket.socket, size: int) -> int:
        with BUILDING:
            words = [str(built(program)), call, str(over.fileno()), str(size)]
        printed = subprocess.check_output(words, pass_fds=[over.fileno()])
        return int(json.loads(printed)["bytes"])

    return move


def transfer(source: Party, target: Party, movers: tuple[Mover, Mover], size: int) -> None:
    """Moves so many bytes from one party to the other, and counts them at both."""
    put, take = movers
    with ThreadPoolExecutor(1) as feeders:
        feeding = feeders.submit(feed, source, put, size)
        end = target.received + size
        while target.received < end:
            taken = take(target.socket, end - target.received)
            target.received += taken
            if not taken:
                break
        feeding.result()
    assert target.received == end


def feed(source: Party, put: Mover, size: int) -> None:
    """Sends so many bytes; if that fails the peer sees the end."""
    end = source.sent + size
    try:
        while source.sent < end:
            source.sent += put(source.socket, end - source.sent)
    except BaseException:
        source.shut()
        raise


def converse(movers: tuple[Mover, Mover], v6: int, size: int = SIZE) -> Iterator[End]:
    """A long way there, a short way back, and both close."""
    client, server = connect(loopback(v6))
    client.socket.setblocking(True)
    server.socket.setblocking(True)
    transfer(client, server, movers, size)
    transfer(server, client, movers, min(size, BACK))
    yield client.close()
    yield server.close()


def call_kind(name: str, meaning: str, put: Mover, take: Mover) -> None:
    """A kind whose connection is served by these two calls."""

    def maker(v6: int = 0, size: int = SIZE) -> Iterator[End]:
        return converse((put, take), v6, size)

    maker.__name__, maker.__doc__ = name, meaning
    kind(maker)


CALLS: tuple[tuple[str, str, Mover, Mover], ...] = (
    ("write", "write(2) and read(2)", write, read),
    ("writev", "writev(2) and readv(2), uneven pieces", writev, readv),
    ("sendmsg", "sendmsg(2) and recvmsg(2)", sendmsg, recvmsg),
    ("sendmmsg", "sendmmsg(2): several messages a call", by_program("messages", "send"), recv),
    ("recvmmsg", "recvmmsg(2): several messages a call", write, by_program("messages", "recv")),
    ("sendfile", "sendfile(2) of a file in memory", sendfile, recv),
    ("splice", "splice(2) from a pipe and into a pipe", splice_in, splice_out),
    ("zerocopy", "send(2) with MSG_ZEROCOPY", send_zerocopy, recv),
    ("peek", "recv(2) with MSG_PEEK before each recv", write, recv_after_peeks),
    ("discard", "recv(2) with MSG_TRUNC: taken out, not copied", write, recv_discarding),
    ("wait_all", "recv(2) with MSG_WAITALL", write, recv_all),
    ("partial", "non-blocking send(2): the kernel takes a part", send_without_waiting, recv),
    ("io_uring", "IORING_OP_SEND, _RECV", by_program("uring", "send"), by_program("uring", "recv")),
    ("io_uring_zerocopy", "IORING_OP_SEND_ZC", by_program("uring", "send_zc"), recv),
)

BY_RING = ("io_uring", "io_uring_zerocopy")
"""Those that make no system call for each move; not every machine lets them."""

BY_CALL = tuple(name for name, *_ in CALLS if name not in BY_RING)
"""The others."""

for _name, _meaning, _put, _take in CALLS:
    call_kind(_name, _meaning, _put, _take)


@kind
def bulk(size: int = 1 << 30, v6: int = 0) -> Iterator[End]:
    """Much over one connection, and a little back"""
    return converse((write, read), v6, size)
