"""Every way in which a connection ends, with bytes of which some never arrive or are never read."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.traffic.kinds import kind
from tests.traffic.namespace import Namespace
from tests.traffic.party import Party, connect, loopback
from tests.traffic.report import End
from tests.traffic.slow_loopback import slow_loopback

Ending = Callable[[Party, Party], Iterator[End]]
"""What client and server do from the moment on that they are connected."""

ENDINGS: dict[str, Ending] = {}
"""Every ending by its name, for those who bring a connection of their own."""


def ending(play: Ending) -> Ending:
    """Makes a kind of an ending."""

    def maker(v6: int = 0) -> Iterator[End]:
        return play(*connect(loopback(v6)))

    maker.__name__, maker.__doc__ = play.__name__, play.__doc__
    kind(maker)
    ENDINGS[play.__name__] = play
    return play


@ending
def half_close_by_client(client: Party, server: Party) -> Iterator[End]:
    """The client sends, shuts down, and then still receives 200,003 bytes"""
    return half_close(client, server)


@ending
def half_close_by_server(client: Party, server: Party) -> Iterator[End]:
    """The same, the server being first"""
    return half_close(server, client)


def half_close(first: Party, second: Party) -> Iterator[End]:
    first.send(1001)
    first.shut()
    second.receive_rest()
    second.send(200_003)
    first.receive(200_003)
    yield second.close()
    first.receive_rest()
    yield first.close()


@ending
def reset_with_unread(client: Party, server: Party) -> Iterator[End]:
    """The server has read 300 of 1,000 bytes and closes: the kernel makes that a reset"""
    client.send(1000)
    server.receive(300)
    server.wait_for_unread(700)
    yield server.close()
    client.wait_for_reset()
    yield client.close()


@ending
def reset_with_unsent(client: Party, server: Party) -> Iterator[End]:
    """The client fills every buffer, nobody reads, and it resets: the rest is never sent"""
    client.fill()
    yield client.reset()
    server.wait_for_reset()
    yield server.close()


@ending
def reset_of_orphan(client: Party, server: Party) -> Iterator[End]:
    """The client closes with unsent bytes, FIN behind them; the server resets"""
    client.fill()
    yield client.close()
    yield server.reset()


@ending
def reset_of_last_ack(client: Party, server: Party) -> Iterator[End]:
    """The client shut down first, the server closes with unsent bytes; the client resets"""
    client.send(17)
    client.shut()
    server.receive_rest()
    server.fill()
    yield server.close()
    client.receive(1)
    yield client.reset()


@ending
def reset_after_half_close(client: Party, server: Party) -> Iterator[End]:
    """The client shut down; the server resets before it closes"""
    client.send(17)
    client.shut()
    server.receive_rest()
    server.send(23)
    client.receive(23)
    yield server.reset()
    client.wait_for_reset()
    yield client.close()


@ending
def linger_zero(client: Party, server: Party) -> Iterator[End]:
    """Both have read everything; the client closes by a reset"""
    client.send(54_321)
    server.receive(54_321)
    server.send(12_345)
    client.receive(12_345)
    yield client.reset()
    server.wait_for_reset()
    yield server.close()


@kind
def simultaneous_close(v6: int = 0) -> Iterator[End]:
    """Both FINs cross on the wire"""
    with Namespace():
        client, server = connect(loopback(v6))
        client.send(4_001)
        server.receive(4_001)
        server.send(3_001)
        client.receive(3_001)
        with slow_loopback():
            yield client.close()
            yield server.close()


@ending
def unread_at_close_by_peer(client: Party, server: Party) -> Iterator[End]:
    """The client closes in order; the server closes without having read"""
    client.send(1_500)
    server.wait_for_unread(1_500)
    yield client.close()
    yield server.close()


@ending
def urgent(client: Party, server: Party) -> Iterator[End]:
    """Out-of-band bytes: they are payload, read apart"""
    client.send(100)
    client.send_urgent()
    server.receive(100)
    server.receive_urgent()
    client.send(50)
    server.receive(50)
    yield client.close()
    yield server.close()
