"""Every way in which a connection begins, where it differs from connect() and accept()."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tests.traffic.kinds import kind
from tests.traffic.namespace import Namespace, counters, forget_nft, nft, sysctl
from tests.traffic.party import BLOCK, Party, connect, connected, listen, loopback, new_socket
from tests.traffic.report import End
from tests.traffic.slow_loopback import slow_loopback

TCP_FASTOPEN_QUEUE = 16
TCPI_OPTIONS_AT, TCPI_OPT_SYN_DATA = 5, 32


def talk(client: Party, server: Party) -> None:
    """Some bytes each way, more than a window has."""
    client.send(123_457)
    server.receive(123_457)
    server.send(34_567)
    client.receive(34_567)


@kind
def fast_open(v6: int = 0) -> Iterator[End]:
    """TCP Fast Open: first to get the cookie, then 1,000 bytes in the SYN"""
    with Namespace(), fast_listener(v6) as listener:
        for in_syn in (False, True):
            client, server = accepted(listener, *open_fast(listener, 1000))
            assert took_data_in_syn(client.socket) == in_syn
            server.receive(1000)
            talk(client, server)
            yield client.close()
            server.receive_rest()
            yield server.close()


@kind
def fast_open_refused(v6: int = 0) -> Iterator[End]:
    """The kernel took 1,000 bytes for the SYN, and the server is gone"""
    with Namespace():
        with fast_listener(v6) as listener:
            client, server = accepted(listener, *open_fast(listener, 1000))
            yield client.close()
            yield server.close()
            address = listener.getsockname()[:2]
        late = new_socket(listener.family)
        late.setblocking(False)
        sent = late.sendto(BLOCK[:1000], socket.MSG_FASTOPEN, address)
        party = Party(late, "client", address)
        party.sent = sent
        party.wait_for_reset()
        yield party.end("refused")
        late.close()


@kind
def fast_open_closed_early() -> Iterator[End]:
    """The server has answered the data of a SYN and closed before the handshake is done"""
    with unfinished_fast_open() as (client, server):
        yield server.close()
        forget_nft()
        client.receive(500)
        client.receive_rest()
        yield client.close()


@kind
def fast_open_reset_early() -> Iterator[End]:
    """The same, and the server resets"""
    with unfinished_fast_open() as (client, server):
        yield server.reset()
        client.wait_for_reset()
        yield client.close()


@contextmanager
def unfinished_fast_open() -> Iterator[tuple[Party, Party]]:
    """Both parties of a connection of which the server has not seen the client's ACK."""
    with Namespace(), fast_listener(0) as listener:
        for party in accepted(listener, *open_fast(listener, 0)):  # brings the cookie
            party.close()
        port = listener.getsockname()[1]
        nft("filter", "input", f"tcp dport {port} tcp flags & syn == 0 drop")
        client, server = accepted(listener, *open_fast(listener, 1000))
        server.receive(1000)
        server.send(500)
        yield client, server


def fast_listener(v6: int) -> socket.socket:
    """A listener that takes data in the SYN; both directions are switched on."""
    sysctl("net/ipv4/tcp_fastopen", "3")
    listener = listen(loopback(v6))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, TCP_FASTOPEN_QUEUE)
    return listener


def open_fast(listener: socket.socket, size: int) -> tuple[socket.socket, int]:
    """A client that connects by sending; and how much of it the kernel took."""
    client = new_socket(listener.family)
    client.setblocking(True)  # with a timeout Python would not wait for the handshake
    return client, client.sendto(BLOCK[:size], socket.MSG_FASTOPEN, listener.getsockname())


def accepted(listener: socket.socket, client: socket.socket, sent: int) -> tuple[Party, Party]:
    """Both parties; the client has sent something already."""
    parties = Party(client, "client"), Party(listener.accept()[0], "server")
    parties[0].sent = sent
    return parties


def took_data_in_syn(client: socket.socket) -> bool:
    """The server acknowledged the data of our SYN, as TCP_INFO says."""
    options = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[TCPI_OPTIONS_AT]
    return bool(options & TCPI_OPT_SYN_DATA)


@kind
def syn_cookies(v6: int = 0) -> Iterator[End]:
    """The listener keeps no request: all it knows of the handshake is in its cookie"""
    with Namespace():
        sysctl("net/ipv4/tcp_syncookies", "2")
        client, server = connect(loopback(v6))
        assert counters("TcpExt")["SyncookiesRecv"] == 1
        talk(client, server)
        yield client.close()
        yield server.close()


@kind
def simultaneous_open(v6: int = 0) -> Iterator[End]:
    """Two sockets connect to each other at once; there is no listener"""
    with Namespace():
        first, second = (bound(v6) for _ in range(2))
        with slow_loopback():
            for one, other in ((first, second), (second, first)):
                one.setblocking(False)
                assert one.connect_ex(other.getsockname()) == errno.EINPROGRESS
        for each in (first, second):
            connected(each)
        parties = Party(first, "client"), Party(second, "client")
        talk(*parties)
        yield from (party.close() for party in parties)


@kind
def self_connect(v6: int = 0) -> Iterator[End]:
    """A socket connects to its own port: what it sends it receives"""
    both = bound(v6)
    both.connect(both.getsockname())
    party = Party(both, "client")
    party.send(50_001)
    party.receive(50_001)
    yield party.close()


def bound(v6: int) -> socket.socket:
    """A socket that has a port and neither listens nor connects yet."""
    made = new_socket(socket.AF_INET6 if v6 else socket.AF_INET)
    made.bind((loopback(v6), 0))
    return made
