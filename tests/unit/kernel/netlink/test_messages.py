"""Messages to columns, against messages made by hand and against garbage."""

from __future__ import annotations

import errno
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connscope.errors import FailedError
from connscope.kernel.netlink.diag_messages import parse_sockets
from connscope.kernel.netlink.layout import SOCKET
from connscope.kernel.netlink.messages import find_messages
from tests.unit.kernel.netlink.kernel_answers import (
    ERROR,
    SOCK_DIAG,
    attribute,
    done,
    message,
    socket_message,
    tcp_info,
    words,
)

INFO, SHUTDOWN, ULP, CGROUP = 2, 8, 19, 21


def parse(*messages: bytes):
    """The sockets of these messages."""
    return parse_sockets(find_messages(words(*messages), kind=SOCK_DIAG))


def cookies(sockets):
    """As whole numbers, in order."""
    low, high = sockets["diag"]["cookie"].astype(np.uint64).T
    return (low | high << np.uint64(32)).tolist()


def test_all_columns():
    """Each attribute lands in its column, whatever stands beside it."""
    info = tcp_info(rtt_us=5, bytes_sent=1 << 40, bytes_retrans=9, delivered=2, not_sent=3)
    (found,) = parse(
        socket_message(
            attribute(99, b"odd"),
            attribute(SHUTDOWN, b"\3"),
            attribute(CGROUP, struct.pack("=Q", 1 << 33)),
            attribute(ULP | 0x8000, attribute(1, b"mptcp\0")),
            attribute(INFO, info),
            cookie=0x1_0000_0002,
            state=8,
        )
    )
    assert cookies(found.reshape(1)) == [0x1_0000_0002]
    diag, read = found["diag"], found["info"]
    assert (diag["state"], diag["local_port"], diag["peer_port"]) == (8, 1000, 2000)
    assert (diag["receive_queue"], diag["send_queue"], diag["uid"], diag["inode"]) == (
        3,
        4,
        1001,
        7,
    )
    assert diag["local_address"][:4].tolist() == [10, 0, 0, 1]
    assert (read["rtt_us"], read["bytes_sent"], read["bytes_retrans"]) == (5, 1 << 40, 9)
    assert (read["delivered"], read["not_sent"]) == (2, 3)
    assert (found["cgroup_id"], found["shutdown"], found["info_bytes"]) == (1 << 33, 3, 280)
    assert found["is_mptcp"]


def test_other_protocol_on_top_is_no_subflow():
    """A TLS socket has the attribute too."""
    (found,) = parse(socket_message(attribute(ULP, attribute(1, b"tls\0\0\0\0\0"))))
    assert not found["is_mptcp"]


@pytest.mark.parametrize("length", [0, 4, 135, 136, 150, 192, 200, 216, 280, 400])
def test_tcp_info_of_any_length(length: int):
    """An older kernel has less, a newer one more; half a field is none."""
    (found,) = parse(socket_message(attribute(INFO, tcp_info(length, bytes_received=7, rtt_us=3))))
    assert found["info"]["bytes_received"] == (7 if length >= 136 else 0)
    assert found["info"]["rtt_us"] == (3 if length >= 72 else 0)
    assert found["info_bytes"] == length


@given(st.lists(st.integers(0, 4), max_size=200))
def test_order_and_content_stay_whatever_stands_where(layouts: list[int]):
    """Messages of four layouts, of which two have the same length, in any order."""
    shapes = (
        (),
        (attribute(INFO, tcp_info(bytes_sent=1)),),
        (attribute(99, b""), attribute(INFO, tcp_info(276, bytes_sent=2))),
        (attribute(SHUTDOWN, b"\3"), attribute(INFO, tcp_info(bytes_sent=3))),
        (attribute(INFO, tcp_info(bytes_sent=4)), attribute(SHUTDOWN, b"\3")),
    )
    found = parse(*(socket_message(*shapes[n], cookie=i) for i, n in enumerate(layouts)))
    assert cookies(found) == list(range(len(layouts)))
    assert found["info"]["bytes_sent"].tolist() == layouts
    assert found["shutdown"].tolist() == [3 * (n > 2) for n in layouts]


def test_many_of_one_length():
    """The common case: a window after the other, to the last."""
    messages = [socket_message(attribute(INFO, tcp_info()), cookie=n) for n in range(5000)]
    assert cookies(parse(*messages)) == list(range(5000))


def test_end_and_other_answers():
    """What answers another request is left out, its end too."""
    buffer = words(socket_message(sequence=1), done(sequence=1), socket_message(sequence=2))
    second = find_messages(buffer, 2, SOCK_DIAG)
    assert (len(second.starts), second.is_done) == (1, False)
    assert find_messages(buffer, 1).is_done


def test_inconsistent_dump_is_told():
    """NLM_F_DUMP_INTR on any of its messages."""
    assert find_messages(words(message(3, bytes(4), flags=2 | 0x10))).is_interrupted
    assert not find_messages(words(done())).is_interrupted


@pytest.mark.parametrize("kind", [ERROR, 3], ids=["error", "done"])
def test_refusal_has_its_errno(kind: int):
    """Both kinds of end can carry one."""
    with pytest.raises(FailedError, match="EPERM") as raised:
        find_messages(words(message(kind, struct.pack("=i", -errno.EPERM))))
    assert raised.value.errno == errno.EPERM


@pytest.mark.parametrize("code", [-(1 << 31), -5000, 77777])
def test_refusal_without_a_name(code: int):
    """Numbers that are no errno."""
    with pytest.raises(FailedError, match=f"error {-code}") as raised:
        find_messages(words(message(ERROR, struct.pack("=i", code))))
    assert raised.value.errno == 0


def test_acknowledgement_is_an_end():
    """An error of 0 is none."""
    assert find_messages(words(message(ERROR, bytes(20)))).is_done


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("=IHHII", 15, 20, 0, 0, 0),
        struct.pack("=IHHII", 0, 20, 0, 0, 0),
        struct.pack("=IHHII", 1000, 20, 0, 0, 0),
        message(20, bytes(71)),
        message(20, bytes(72) + struct.pack("=HH", 3, 2)),
        message(20, bytes(72) + struct.pack("=HH", 9, 2)),
        b"\1\0\0\0",
    ],
)
def test_what_does_not_fit_is_refused(content: bytes):
    """Lengths that lead out of the buffer, or nowhere."""
    with pytest.raises(FailedError, match="can not be read"):
        parse(content)


def test_nothing():
    """No message, no socket."""
    assert parse().dtype == SOCKET


def parse_or_refuse(buffer: bytes) -> None:
    """Either sockets come of it, or our own error."""
    buffer += bytes(-len(buffer) % 4)
    try:
        found = find_messages(np.frombuffer(buffer, np.uint32), kind=SOCK_DIAG)
        assert len(parse_sockets(found)) == len(found.starts)
    except FailedError:
        pass


@given(st.binary(max_size=4000))
def test_garbage(buffer: bytes):
    """Bytes that mean nothing."""
    parse_or_refuse(buffer)


@given(
    st.lists(
        st.tuples(st.sampled_from([1, 2, 3, 4, 20, 20, 20, 21]), st.binary(max_size=500)),
        max_size=40,
    )
)
def test_garbage_in_messages(parts: list[tuple[int, bytes]]):
    """Headers that are right, and anything inside."""
    parse_or_refuse(b"".join(message(kind, content) for kind, content in parts))


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=300)), max_size=5), max_size=20
    )
)
def test_any_attributes(sockets: list[list[tuple[int, bytes]]]):
    """Of kinds that nobody knows, and of known kinds with other lengths."""
    messages = (socket_message(*(attribute(*each) for each in every)) for every in sockets)
    assert len(parse(*messages)) == len(sockets)


@settings(max_examples=400)
@given(st.data())
def test_flipped_bits(data: st.DataObject):
    """A right answer with some bytes changed."""
    whole = bytearray(
        b"".join(
            socket_message(attribute(SHUTDOWN, b"\3"), attribute(INFO, tcp_info()), cookie=n)
            for n in range(6)
        )
        + done()
    )
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    parse_or_refuse(bytes(whole))
