"""The two parties of a connection, each counting what its own calls moved."""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import termios

from tests.traffic.report import End

__all__ = (
    "BLOCK",
    "PATIENCE_S",
    "Party",
    "connect",
    "connected",
    "endpoint",
    "listen",
    "loopback",
    "new_socket",
)

BLOCK = memoryview(bytes(range(256)) * 4096)
"""One mebibyte of something to send."""

PATIENCE_S = 20.0
LINGER_NOTHING = struct.pack("ii", 1, 0)
SIOCGSKNS = 0x894C
TOTAL_RETRANS_AT = 100  # of struct tcp_info


class Party:
    """One end of a connection.

    Attributes:
        socket: it times out after `PATIENCE_S`.
        sent: bytes that calls accepted so far.
        received: bytes that calls took out so far.
        unread: bytes that arrived and are left; noted when it is asked for or closed.
        retransmits: noted at the close.
        ended: the peer's FIN was read.
    """

    def __init__(
        self, connected: socket.socket, role: str, peer: tuple[str, int] | None = None
    ) -> None:
        connected.settimeout(PATIENCE_S)
        self.socket, self.role = connected, role
        self.sent = self.received = self.unread = 0
        self.retransmits = 0
        self.ended = False
        self.local = endpoint(connected.getsockname())
        self.peer = endpoint(peer or connected.getpeername())
        self.netns = netns_of(connected)

    def send(self, size: int) -> None:
        """Sends so many bytes."""
        end = self.sent + size
        while self.sent < end:
            self.sent += self.socket.send(BLOCK[: end - self.sent])

    def fill(self) -> None:
        """Sends until the kernel takes no more; the peer must not read meanwhile."""
        self.socket.setblocking(False)
        try:
            while True:
                self.sent += self.socket.send(BLOCK)
        except BlockingIOError:
            self.socket.settimeout(PATIENCE_S)

    def send_urgent(self) -> None:
        """Sends one byte out of band."""
        self.sent += self.socket.send(b"!", socket.MSG_OOB)

    def receive_urgent(self) -> None:
        """Takes out the byte that is out of band."""
        poll_until(self.socket, select.POLLPRI)
        self.socket.setblocking(True)  # with a timeout Python would wait for bytes that are in band
        self.received += len(self.socket.recv(1, socket.MSG_OOB))
        self.socket.settimeout(PATIENCE_S)

    def receive(self, size: int) -> None:
        """Takes out so many bytes."""
        end = self.received + size
        while self.received < end:
            taken = len(self.socket.recv(end - self.received))
            assert taken, f"the end came {end - self.received} bytes too early"
            self.received += taken

    def receive_rest(self) -> None:
        """Takes out all that comes until the peer's FIN."""
        while taken := len(self.socket.recv(len(BLOCK))):
            self.received += taken
        self.ended = True

    def wait_for_unread(self, size: int) -> None:
        """Waits until at least so many bytes are there to be read."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
        poll_until(self.socket, select.POLLIN)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)

    def wait_for_reset(self) -> None:
        """Waits until the peer's reset is here."""
        poll_until(self.socket, select.POLLERR | select.POLLHUP)

    def count_unread(self) -> int:
        """What is there to be read at this moment."""
        self.unread = self._ask(termios.FIONREAD)
        return self.unread

    def count_unacked(self) -> int:
        """What the peer has not acknowledged at this moment, sent or not."""
        return self._ask(termios.TIOCOUTQ)

    def _ask(self, request: int) -> int:
        return int(struct.unpack("i", fcntl.ioctl(self.socket, request, bytes(4)))[0])

    def shut(self) -> None:
        """No more will be sent: FIN."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> End:
        """Closes the socket and gives account of it."""
        if not self.ended:  # behind the end there is nothing, but MPTCP's FIONREAD says 1
            self.count_unread()
        if self.socket.proto == socket.IPPROTO_TCP:
            told = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TOTAL_RETRANS_AT + 4)
            (self.retransmits,) = struct.unpack_from("I", told, TOTAL_RETRANS_AT)
        self.socket.close()
        return self.end()

    def reset(self) -> End:
        """Closes the socket by a reset, whatever is still to be sent or read."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOTHING)
        return self.close()

    def end(self, outcome: str = "closed") -> End:
        """The account as it is now."""
        protocol = {socket.SOCK_DGRAM: "udp"}.get(self.socket.type, "tcp")
        return End(
            role=self.role,
            local=self.local,
            peer=self.peer,
            sent=self.sent,
            received=self.received,
            unread=self.unread,
            netns=self.netns,
            pid=os.getpid(),
            retransmits=self.retransmits,
            protocol="mptcp" if self.socket.proto == socket.IPPROTO_MPTCP else protocol,
            outcome=outcome,
        )


def poll_until(polled: socket.socket, events: int) -> None:
    """Waits for one of the events of poll(2)."""
    poll = select.poll()
    poll.register(polled, events)
    assert poll.poll(PATIENCE_S * 1000), f"nothing within {PATIENCE_S} s"


def netns_of(made: socket.socket) -> int:
    """The inode of the network namespace that the socket was made in."""
    namespace = fcntl.ioctl(made, SIOCGSKNS)
    try:
        return os.fstat(namespace).st_ino
    finally:
        os.close(namespace)


def endpoint(address: tuple[str, int]) -> str:
    """``127.0.0.1:80`` or ``[::1]:80`` of what Python calls an address."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def loopback(v6: int) -> str:
    """The loopback address of the family."""
    return "::1" if v6 else "127.0.0.1"


def new_socket(family: int, protocol: int = socket.IPPROTO_TCP) -> socket.socket:
    """A stream socket that waits for nothing longer than `PATIENCE_S`."""
    made = socket.socket(family, socket.SOCK_STREAM, protocol)
    made.settimeout(PATIENCE_S)
    return made


def listen(host: str, port: int = 0, protocol: int = socket.IPPROTO_TCP) -> socket.socket:
    """A listener; port 0 is any."""
    listener = new_socket(socket.AF_INET6 if ":" in host else socket.AF_INET, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen()
    return listener


def connect(host: str = "127.0.0.1", protocol: int = socket.IPPROTO_TCP) -> tuple[Party, Party]:
    """Both parties of a new connection to that address of ours: client, server."""
    with listen(host, protocol=protocol) as listener:
        client = new_socket(listener.family, protocol)
        client.connect(listener.getsockname())
        server = listener.accept()[0]
    return Party(client, "client"), Party(server, "server")


def connected(client: socket.socket) -> int:
    """Waits until a connect that does not block is decided; returns its errno."""
    poll_until(client, select.POLLOUT)
    return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
