"""The bytes of open connections are the application's own at every moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from connscope.capture.btf.tier import BtfTier
from connscope.config import Config
from connscope.row.columns import Rows
from connscope.row.words import Group, Kind
from tests.kernel.recorder import Recorder
from tests.kernel.traffic.agreement import assert_bytes_agree, rows_of
from tests.surroundings import scaled
from tests.traffic.party import BLOCK, Party, connect, loopback

LIVE_VALUES = scaled(100_000)
CONNECTIONS = 64
CHUNK_BYTES = 10_000
STEP_BYTES = 150_000


class Bulk:
    """A thread that moves bytes over many connections, never resting."""

    def __init__(self) -> None:
        self.pairs = [connect() for _ in range(CONNECTIONS)]
        self.parties = [party for pair in self.pairs for party in pair]
        for party in self.parties:
            party.socket.setblocking(False)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._move)

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Moves bytes inside of ``with``; afterwards all that was sent is received."""
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join()
            for client, server in self.pairs:
                server.socket.setblocking(True)
                server.receive(client.sent - server.received)

    def _move(self) -> None:
        while not self._over.is_set():
            for client, server in self.pairs:
                push(client)
                pull(server)

    def counted(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """What each party sent and received by now."""
        return (
            np.array([party.sent for party in self.parties]),
            np.array([party.received for party in self.parties]),
        )


def push(party: Party) -> None:
    """Sends a chunk if there is room."""
    try:
        party.sent += party.socket.send(BLOCK[:CHUNK_BYTES])
    except BlockingIOError:
        return


def pull(party: Party) -> None:
    """Takes out what is there, and now and then lets it lie."""
    try:
        party.received += len(party.socket.recv(3 * CHUNK_BYTES))
    except BlockingIOError:
        return


def of_parties(rows: Rows, parties: list[Party]) -> Rows:
    """The rows of those parties in their order; every one must be there, once."""
    ends = [party.end() for party in parties]
    found = [rows_of(rows, end, Kind.SNAPSHOT) for end in ends]
    assert {len(each) for each in found} == {1}
    return np.concatenate(found)


def in_order_of(places: dict[int, int], rows: Rows) -> Rows:
    """The rows of known sockets, each at its place."""
    ours = rows[np.isin(rows["socket_id"], list(places))]
    assert len(ours) == len(places)
    return ours[np.argsort([places[socket] for socket in ours["socket_id"].tolist()])]


@pytest.mark.parametrize("is_older", [False, True], ids=["younger", "older"])
def test_live_values_never_fall(is_older: bool) -> None:
    """Of 100,000 values under bulk traffic none is below the one before, and the last word is the
    truth."""
    bulk = Bulk() if is_older else None
    with BtfTier(Config()) as tier:
        bulk = bulk or Bulk()
        rows = of_parties(tier.look(), bulk.parties)
        places = {int(row["socket_id"]): place for place, row in enumerate(rows)}
        sent, received = rows["bytes_sent"], rows["bytes_received"]
        seen = 0
        with bulk.moving():
            while seen < LIVE_VALUES:
                rows = in_order_of(places, tier.look())
                assert (rows["bytes_sent"] >= sent).all()
                assert (rows["bytes_received"] >= received).all()
                sent, received = rows["bytes_sent"], rows["bytes_received"]
                seen += len(rows)
        rows = in_order_of(places, tier.look())
        assert (rows["bytes_sent"] == bulk.counted()[0]).all()
        assert (rows["bytes_received"] == bulk.counted()[1]).all()
        ends = [party.close() for party in bulk.parties]
        assert_bytes_agree(Recorder(tier), ends)


def test_live_values_are_never_more_than_was_sent() -> None:
    """Seen: 40,001 while the application had sent 30,000."""
    with BtfTier(Config()) as tier:
        bulk = Bulk()
        rows = of_parties(tier.look(), bulk.parties)
        places = {int(row["socket_id"]): place for place, row in enumerate(rows)}
        over = np.zeros(len(rows), bool)
        with bulk.moving():
            for _ in range(2 * LIVE_VALUES // len(rows)):
                rows = in_order_of(places, tier.look())
                over |= rows["bytes_sent"] > bulk.counted()[0] + CHUNK_BYTES
        for party in bulk.parties:
            party.close()
        assert not over.any()


@pytest.mark.parametrize("is_older", [False, True], ids=["younger", "older"])
@pytest.mark.parametrize("v6", [0, 1], ids=["ipv4", "ipv6"])
def test_stalled_transfer_is_exact_at_every_moment(v6: int, is_older: bool) -> None:
    """While the receiver does not read, and while it reads by and by: sent is what send() accepted,
    unacked what SIOCOUTQ says, unread what FIONREAD says."""
    pair = connect(loopback(v6)) if is_older else None
    with BtfTier(Config()) as tier:
        client, server = pair or connect(loopback(v6))
        while fill_a_step(client):
            assert_live_bytes(tier, client, server)
        while server.received < client.sent:
            server.receive(min(STEP_BYTES, client.sent - server.received))
            assert_live_bytes(tier, client, server)
        client.shut()
        server.receive_rest()
        assert_live_bytes(tier, client, server, fin=1)
        assert_bytes_agree(Recorder(tier), [server.close(), client.close()])


def fill_a_step(client: Party) -> bool:
    """Sends some more; False when the kernel takes no more."""
    client.socket.setblocking(False)
    try:
        client.sent += client.socket.send(BLOCK[:STEP_BYTES])
    except BlockingIOError:
        return False
    return True


def assert_live_bytes(tier: BtfTier, client: Party, server: Party, fin: int = 0) -> None:
    """A look says what both applications know; it is compared once nothing moves any more. For
    SIOCOUTQ an unacknowledged FIN is a byte."""
    moving = True
    while moving:
        asked = client.count_unacked(), server.count_unread()
        rows = of_parties(tier.look(), [client, server])
        moving = asked != (client.count_unacked(), server.count_unread())
    out, incoming = rows

    assert (out["bytes_sent"], out["unacked_bytes"]) == (client.sent, max(asked[0] - fin, 0))
    assert (incoming["bytes_received"], incoming["unread_bytes"]) == (
        server.received + asked[1],
        asked[1],
    )
    assert ((rows["exact"] & Group.TRAFFIC) != 0).all()
