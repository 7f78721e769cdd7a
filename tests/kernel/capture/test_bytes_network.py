"""The bytes of closed connections are the application's own, whatever the network does to them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connscope.capture.btf.tier import BtfTier
from connscope.config import Config
from connscope.row.words import Kind
from tests.kernel.recorder import Recorder
from tests.kernel.traffic.agreement import assert_bytes_agree, last_row, rows_of, seen
from tests.traffic.report import make
from tests.traffic.trouble import lose, lossy

TRANSLATIONS = ("snat", "dnat", "redirect", "hairpin")
SIZE = 1_000_000


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    """One tier for all tests of this file."""
    with BtfTier(Config()) as tier:
        yield Recorder(tier)


def test_retransmits_are_no_bytes(recorder: Recorder) -> None:
    """What is sent twice counts once, and the retransmits are those of TCP_INFO."""
    client, server = make("loss", size=SIZE).connections

    assert_bytes_agree(recorder, [client, server])
    assert last_row(recorder, client)["retransmits"] == client.retransmits > 0


def test_retransmits_of_an_older_connection_are_no_bytes() -> None:
    """The same where the initial sequence numbers were never seen."""
    with lossy() as (client, server), BtfTier(Config()) as tier:
        ends = tuple(lose(client, server, SIZE))

        assert_bytes_agree(Recorder(tier), ends)


@pytest.mark.parametrize("kind", TRANSLATIONS)
def test_bytes_through(recorder: Recorder, kind: str) -> None:
    """Each end has a row with its own addresses, which are not those that the other end sees."""
    client, server = make(kind).connections

    assert_bytes_agree(recorder, [client, server])
    assert (client.local, client.peer) != (server.peer, server.local)


@pytest.mark.parametrize("kind", ["moved_namespace", "deleted_namespace"])
def test_bytes_of_sockets_in(recorder: Recorder, kind: str) -> None:
    """A socket stays in its namespace, and is seen there, wherever its process is."""
    assert_bytes_agree(recorder, make(kind).connections)


@pytest.mark.parametrize("kind", ["bursts", "prefork", "threads"])
def test_bytes_of_a_crowd(recorder: Recorder, kind: str) -> None:
    """Every one of hundreds of connections has its two rows."""
    assert_bytes_agree(recorder, make(kind).connections)


def test_bytes_of_connections_on_one_port(recorder: Recorder) -> None:
    """The same addresses and ports fifty times within milliseconds: fifty rows, in their order."""
    ends = make("port_reuse", connections=50).connections
    clients = [end for end in ends if end.role == "client"]
    rows = recorder.until(lambda rows: len(rows_of(rows, clients[0], Kind.CLOSED)) == len(clients))
    found = rows_of(rows, clients[0], Kind.CLOSED)

    assert [seen(row)["sent"] for row in found] == [end.sent for end in clients]
    assert len(set(found["connection_id"].tolist())) == len(clients)


def test_clients_turned_away_sent_nothing(recorder: Recorder) -> None:
    """A full accept queue: who was in it has his bytes, the others failed with none."""
    assert_bytes_agree(recorder, make("accept_queue_overflow").connections)


def test_dropped_syns_are_no_bytes(recorder: Recorder) -> None:
    """A connect that a firewall lets time out has sent no byte."""
    assert_bytes_agree(recorder, make("syn_dropped").connections)
