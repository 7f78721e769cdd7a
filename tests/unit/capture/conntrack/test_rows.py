"""Flows as rows: whose they are, what they carried, when they were."""

from __future__ import annotations

import struct

import pytest

from connscope.capture.conntrack.addresses import OwnAddresses
from connscope.capture.conntrack.rows import FLOW_BIT, Moment, flow_rows
from connscope.kernel.host.conntrack import UdpTimeouts
from connscope.row.address import address_text
from connscope.row.words import Group, Kind, Protocol, Role, State
from tests.unit.capture.conntrack.flows import OWN, flows, routes
from tests.unit.kernel.netlink.conntrack_answers import (
    DELETE,
    HERE,
    NESTED,
    counters,
    flow_message,
    mirrored,
)
from tests.unit.kernel.netlink.kernel_answers import attribute

S = 1_000_000_000
NETNS = 4026
NOW = Moment(1000 * S, 5000 * S)
ASSURED = 1 << 2
OUT = HERE
IN = mirrored(HERE)
LOOPBACK = ("127.0.0.1", 1000, "127.0.0.1", 53)


def rows_of(*messages: bytes, is_news: bool = True):
    """The rows of these messages, on a machine that is 10.0.0.1."""
    return flow_rows(
        flows(*messages), OwnAddresses(OWN), NETNS, NOW, UdpTimeouts(30, 120), is_news=is_news
    )


def ends(row):
    """Both, as text and number."""
    return (
        address_text(row["local_address"].tobytes()),
        int(row["local_port"]),
        address_text(row["peer_address"].tobytes()),
        int(row["peer_port"]),
    )


def times(start_s: int, stop_s: int = 0) -> bytes:
    """CTA_TIMESTAMP: seconds since boot, as times of day."""
    said = attribute(1, struct.pack(">Q", start_s * S + NOW.wall_minus_boottime_ns))
    if stop_s:
        said += attribute(2, struct.pack(">Q", stop_s * S + NOW.wall_minus_boottime_ns))
    return attribute(NESTED | 20, said)


def test_who_speaks_first_is_the_client():
    """One end is ours: ends, namespace, protocol; what conntrack can not know is not said."""
    (row,) = rows_of(flow_message(ends=OUT))
    assert ends(row) == OUT
    assert (row["kind"], row["role"], row["protocol"]) == (Kind.OPENED, Role.CLIENT, Protocol.UDP)
    assert (row["netns"], row["family"], row["state"]) == (NETNS, 4, State.ESTABLISHED)
    assert Group(int(row["known"])) == Group.IDENTITY | Group.ENDS | Group.LIFE
    assert Group(int(row["exact"])) == Group.IDENTITY | Group.ENDS


def test_who_is_spoken_to_is_the_server():
    """Its own end is the local one."""
    (row,) = rows_of(flow_message(ends=IN))
    assert (*ends(row), row["role"]) == (*OUT, Role.SERVER)


def test_both_ends_in_one_namespace_are_two_rows():
    """Mirrored, each with an id of its own, beside each other."""
    other, client, server = rows_of(flow_message(ends=OUT), flow_message(ends=LOOPBACK))
    assert (ends(other), ends(client), ends(server)) == (OUT, LOOPBACK, mirrored(LOOPBACK))
    assert len({int(row["connection_id"]) for row in (other, client, server)}) == 3


def test_a_socket_that_sends_to_itself_is_one_row():
    """It has one end."""
    assert len(rows_of(flow_message(ends=("127.0.0.1", 53, "127.0.0.1", 53)))) == 1


def test_what_is_only_passed_on_is_no_connection_of_here():
    """Neither end is ours."""
    assert not len(rows_of(flow_message(ends=("192.0.2.1", 5, "192.0.2.2", 6))))


def test_ends_are_what_sockets_see_on_this_side_of_translation():
    """A client whose source is rewritten; a server that is reached by another address."""
    (client,) = rows_of(flow_message(ends=OUT, replies=("10.0.0.2", 53, "192.0.2.1", 60000)))
    assert ends(client) == OUT
    forwarded = ("192.0.2.7", 5000, "192.0.2.1", 8053)
    (server,) = rows_of(flow_message(ends=forwarded, replies=("10.0.0.1", 53, "192.0.2.7", 5000)))
    assert ends(server) == ("10.0.0.1", 53, "192.0.2.7", 5000)


def test_what_comes_for_a_group_is_received():
    """And what we send to one is not told as received by us."""
    group = ("10.0.0.9", 5353, "224.0.0.251", 5353)
    (row,) = rows_of(flow_message(ends=group))
    assert (*ends(row), row["role"]) == (*mirrored(group), Role.SERVER)
    (row,) = rows_of(flow_message(ends=("10.0.0.1", 5353, "224.0.0.251", 5353)))
    assert row["role"] == Role.CLIENT


@pytest.mark.parametrize(
    ("ends_", "header"), [(LOOPBACK, 28), (("::1", 1, "::1", 2), 48)], ids=["ipv4", "ipv6"]
)
def test_bytes_are_without_headers(ends_, header: int):
    """Of both ends, the other way round."""
    own = OwnAddresses(routes("127.0.0.0/8", "::1/128"))
    said = flow_message(
        counters(9, 3, 3 * header + 100), counters(10, 2, 2 * header + 7), ends=ends_, kind=DELETE
    )
    client, server = flow_rows(flows(said), own, NETNS, NOW, UdpTimeouts())
    for row, sent, received in ((client, (100, 3), (7, 2)), (server, (7, 2), (100, 3))):
        assert (row["bytes_sent"], row["segments_sent"]) == sent
        assert (row["bytes_received"], row["segments_received"]) == received
        assert Group.TRAFFIC in Group(int(row["known"]))
        assert Group.TRAFFIC not in Group(int(row["exact"]))


def test_an_empty_count_is_no_payload():
    """Counters that were switched on between a packet and its bytes, for example."""
    (row,) = rows_of(flow_message(counters(9, 3, 10), ends=OUT))
    assert row["bytes_sent"] == 0


def test_more_datagrams_than_a_row_can_hold():
    """The count stops at the greatest number."""
    packets, header = (1 << 32) + 5, 28
    (row,) = rows_of(flow_message(counters(9, packets, packets * (header + 1)), ends=OUT))
    assert (row["segments_sent"], row["bytes_sent"]) == ((1 << 32) - 1, packets)


def test_the_id_stays_from_beginning_to_end():
    """Conntrack's id, the first tuple and the direction; also for a look, never a cookie's."""
    beginning, end = rows_of(flow_message(), flow_message(counters(9, 1, 30), kind=DELETE))
    (shown,) = rows_of(flow_message(counters(9, 1, 30)), is_news=False)
    assert beginning["connection_id"] == end["connection_id"] == shown["connection_id"]
    assert beginning["connection_id"] & FLOW_BIT
    assert (beginning["kind"], end["kind"], shown["kind"]) == (
        Kind.OPENED,
        Kind.IDLE,
        Kind.SNAPSHOT,
    )


def test_another_flow_has_another_id():
    """By conntrack's id, by its ends."""
    found = rows_of(
        flow_message(number=1), flow_message(number=2), flow_message(ends=(*OUT[:3], 54))
    )
    assert len(set(found["connection_id"].tolist())) == 3


def test_a_beginning_without_a_time_is_now():
    """And one with a time is at that time."""
    at = attribute(27, struct.pack(">Q", 990 * S + NOW.wall_minus_boottime_ns))
    found = rows_of(flow_message(), flow_message(at), flow_message(times(980)))
    assert found["opened_ns"].tolist() == [1000 * S, 990 * S, 980 * S]


def test_a_look_invents_no_beginning():
    """Without a time nobody knows when a flow began."""
    (row,) = rows_of(flow_message(), is_news=False)
    assert row["opened_ns"] == 0
    assert Group.LIFE not in Group(int(row["known"]))


@pytest.mark.parametrize(("status", "last_s"), [(8, 970), (8 | ASSURED, 880)])
def test_the_end_is_the_last_datagram(status: int, last_s: int):
    """Conntrack forgets a flow so long after it, longer if both ends have spoken for a while."""
    (row,) = rows_of(flow_message(kind=DELETE, status=status))
    assert (row["closed_ns"], row["state"]) == (last_s * S, State.CLOSE)


def test_the_end_by_conntracks_own_clock():
    """It was 50 s ago that it ended, and we read it now."""
    (row,) = rows_of(flow_message(times(900, 950), kind=DELETE))
    assert (row["opened_ns"], row["closed_ns"]) == (900 * S, 920 * S)


def test_a_flow_does_not_end_before_it_began():
    """One that somebody has deleted."""
    (row,) = rows_of(flow_message(times(990, 995), kind=DELETE))
    assert (row["opened_ns"], row["closed_ns"]) == (990 * S, 990 * S)


def test_a_clock_that_was_set_gives_no_time_to_come():
    """Times of day before it was set are not later than now."""
    (row,) = rows_of(flow_message(times(2000, 3000), kind=DELETE))
    assert (row["opened_ns"], row["closed_ns"]) == (1000 * S, 1000 * S)


def test_no_flows():
    """No rows."""
    assert not len(rows_of())
