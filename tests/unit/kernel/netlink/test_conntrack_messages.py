"""Conntrack's messages to columns, against messages made by hand and against garbage."""

from __future__ import annotations

import struct

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from connscope.errors import FailedError
from connscope.kernel.netlink.conntrack_messages import FLOW, parse_flows
from connscope.kernel.netlink.messages import find_messages
from connscope.row.address import address_text
from tests.unit.kernel.netlink.conntrack_answers import (
    DELETE,
    NESTED,
    NEW,
    counters,
    flow_message,
)
from tests.unit.kernel.netlink.kernel_answers import attribute, done, message, words

V6 = ("fd00::1", 4000, "fd00::2", 5353)
BOTH = (NEW, DELETE)


def parse(*messages: bytes):
    """The flows of these messages."""
    return parse_flows(find_messages(words(*messages), kind=BOTH))


def ends(flow, direction):
    """A direction's tuple, as text."""
    source, target = (
        address_text(flow[f"{direction}_{side}"].tobytes()) for side in ("source", "target")
    )
    return source, flow[f"{direction}_source_port"], target, flow[f"{direction}_target_port"]


def test_all_columns():
    """Each attribute lands in its column, whatever stands beside it."""
    translated = ("192.0.2.5", 53, "10.0.0.9", 61000)
    times = attribute(1, struct.pack(">Q", 1 << 60)) + attribute(2, struct.pack(">Q", 5 << 58))
    (flow,) = parse(
        flow_message(
            attribute(99, b"odd"),
            counters(9, 3, 1 << 33),
            counters(10, 4, 600),
            attribute(NESTED | 20, times),
            attribute(27, struct.pack(">Q", 77)),
            kind=DELETE,
            replies=translated,
            number=0xDEADBEEF,
            status=0x1A,
        )
    )
    assert ends(flow, "original") == ("10.0.0.1", 1000, "10.0.0.2", 53)
    assert ends(flow, "reply") == translated
    assert (flow["original_packets"], flow["original_bytes"]) == (3, 1 << 33)
    assert (flow["reply_packets"], flow["reply_bytes"]) == (4, 600)
    assert (flow["start_ns"], flow["stop_ns"], flow["event_ns"]) == (1 << 60, 5 << 58, 77)
    assert (flow["id"], flow["status"], flow["protocol"]) == (0xDEADBEEF, 0x1A, 17)
    assert (flow["family"], flow["is_gone"], flow["has_counters"]) == (4, True, True)


def test_what_is_not_said_is_nothing():
    """News of a flow that begins has no counters and no times."""
    (flow,) = parse(flow_message())
    assert (flow["original_bytes"], flow["start_ns"], flow["event_ns"]) == (0, 0, 0)
    assert not flow["has_counters"]
    assert not flow["is_gone"]


def test_ipv6():
    """Addresses of 16 bytes are taken as they are."""
    (flow,) = parse(flow_message(ends=V6))
    assert ends(flow, "original") == V6
    assert flow["family"] == 6


def test_counters_do_not_take_each_others_places():
    """The same types stand inside of several attributes."""
    (flow,) = parse(flow_message(counters(10, 1, 2)))
    assert (flow["original_packets"], flow["reply_packets"], flow["reply_bytes"]) == (0, 1, 2)


@given(st.lists(st.integers(0, 5), max_size=200))
def test_order_and_content_stay_whatever_stands_where(shapes: list[int]):
    """Messages of six layouts, two of the same length, in any order."""
    more = ((), (counters(9, 1, 10),), (counters(10, 1, 10),), (attribute(99, b"12345"),))
    messages = [
        flow_message(*more[shape], number=number)
        if shape < len(more)
        else flow_message(ends=V6, number=number, kind=(NEW, DELETE)[shape - len(more)])
        for number, shape in enumerate(shapes)
    ]
    flows = parse(*messages)
    assert flows["id"].tolist() == list(range(len(shapes)))
    assert flows["original_packets"].tolist() == [shape == 1 for shape in shapes]
    assert flows["reply_packets"].tolist() == [shape == 2 for shape in shapes]
    assert flows["family"].tolist() == [6 if shape >= len(more) else 4 for shape in shapes]
    assert flows["is_gone"].tolist() == [shape == len(more) + 1 for shape in shapes]


def test_other_protocols_are_told_apart():
    """Who reads them chooses."""
    flows = parse(flow_message(), flow_message(protocol=6), flow_message(protocol=132))
    assert flows["protocol"].tolist() == [17, 6, 132]


def test_half_a_number_is_none():
    """Attributes of another length than they should have are left out."""
    (flow,) = parse(flow_message(attribute(27, bytes(4)), attribute(NESTED | 9, attribute(1, b""))))
    assert (flow["event_ns"], flow["original_packets"]) == (0, 0)


def test_nothing():
    """No message, no flow."""
    assert parse().dtype == FLOW


def parse_or_refuse(buffer: bytes) -> None:
    """Either flows come of it, or our own error."""
    buffer += bytes(-len(buffer) % 4)
    try:
        found = find_messages(np.frombuffer(buffer, np.uint32), kind=BOTH)
        assert len(parse_flows(found)) == len(found.starts)
    except FailedError:
        pass


@given(
    st.lists(
        st.tuples(st.sampled_from([2, 3, NEW, NEW, DELETE, 0x101]), st.binary(max_size=400)),
        max_size=40,
    )
)
def test_garbage_in_messages(parts: list[tuple[int, bytes]]):
    """Headers that are right, and anything inside."""
    parse_or_refuse(b"".join(message(kind, content) for kind, content in parts))


NESTS = st.recursive(
    st.binary(max_size=24),
    lambda inside: st.lists(st.tuples(st.integers(0, 30), inside), max_size=4).map(
        lambda parts: b"".join(attribute(kind | NESTED, content) for kind, content in parts)
    ),
    max_leaves=8,
)


@given(st.lists(st.lists(st.tuples(st.integers(0, 30), NESTS), max_size=5), max_size=12))
def test_any_nests(flows: list[list[tuple[int, bytes]]]):
    """Attributes inside of attributes, of known kinds with contents that they should not have."""
    parse_or_refuse(
        b"".join(flow_message(*(attribute(*each) for each in every)) for every in flows)
    )


@settings(max_examples=400)
@given(st.data())
def test_flipped_bits(data: st.DataObject):
    """A right answer with some bytes changed."""
    flows = (flow_message(counters(9, 1, 2), counters(10, 3, 4), number=n) for n in range(6))
    whole = bytearray(b"".join(flows) + done())
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    parse_or_refuse(bytes(whole))
