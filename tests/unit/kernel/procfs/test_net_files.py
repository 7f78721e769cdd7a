"""The files in /proc/PID/net, against an oracle that reads them line by line."""

from __future__ import annotations

import re
import socket
from ipaddress import IPv6Address, ip_address
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.kernel.procfs.net_files import NET_SOCKET, parse_net_file
from connscope.row.address import address_text
from tests.unit.kernel.procfs.proc_tree import HEADER, net_line

V6 = "4500032000BE692B8AE31EBD919D9D10:D61C"
V6_ANY = "0" * 32 + ":0000"
HEX = re.compile(r"[0-9A-Fa-f]+", re.ASCII)
DECIMAL = re.compile(r"[0-9]{1,10}", re.ASCII)


def only(text: bytes, family: int = 4) -> Any:
    """The one socket of a file without a malformed line."""
    file = parse_net_file(HEADER + text, family)
    assert (len(file.sockets), file.malformed) == (1, 0)
    return file.sockets[0]


def end(found: Any, name: str) -> tuple[str, int]:
    """An end of a socket as text and port."""
    return address_text(found[f"{name}_address"].tobytes()), int(found[f"{name}_port"])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0100007F:0019", ("127.0.0.1", 25)),
        ("A12CF62E:E4D7", ("46.246.44.161", 58583)),
        ("57FC1EC0:01BB", ("192.30.252.87", 443)),
        ("57fc1ec0:01bb", ("192.30.252.87", 443)),
    ],
)
def test_v4_address(text: str, wanted: tuple[str, int]):
    """Four bytes in the order of the host, the port as a number."""
    assert end(only(net_line(local=text)), "local") == wanted


def test_v6_address():
    """Four words, each in the order of the host."""
    found = only(net_line(local=V6, peer=V6_ANY), 6)
    assert end(found, "local") == ("2003:45:2b69:be00:bd1e:e38a:109d:9d91", 54812)
    assert (end(found, "peer"), found["family"]) == (("::", 0), 6)


def test_v4_mapped_socket_is_ipv4():
    """A connection of a v6 socket to an IPv4 address."""
    mapped = "0000000000000000FFFF00000100007F:0019"
    found = only(net_line(local=mapped, peer=mapped), 6)
    assert (end(found, "local"), found["family"]) == (("127.0.0.1", 25), 4)


def test_all_columns():
    """Queues, state, timer, uid and inode of one line."""
    found = only(
        net_line(0, state=10, queues="0000000A:FFFFFFFF", timer=3, uid=7, inode=4294967295)
    )
    names = ("tx_queue", "rx_queue", "state", "timer", "uid", "inode")
    assert [int(found[name]) for name in names] == [10, 0xFFFFFFFF, 10, 3, 7, 4294967295]


@pytest.mark.parametrize("number", [0, 9999, 10000, 1234567890])
@pytest.mark.parametrize("uid", [0, 65534, 100000, 4294967294])
@pytest.mark.parametrize("padding", [b"\n", b"          \n"])
def test_fields_of_any_width(number: int, uid: int, padding: bytes):
    """The number of the line, the uid and what is filled up may be wider than usual."""
    found = only(net_line(number, uid=uid, inode=77).removesuffix(b"\n") + padding)
    assert (found["uid"], found["inode"]) == (uid, 77)


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"garbage\n",
        b":::::\n",
        b"\0" * 200 + b"\n",
        net_line().replace(b"0100007F:0019", b"0100007G:0019"),
        net_line().replace(b"0100007F:0019", b"0100007F 0019"),
        net_line().replace(b" 1000 ", b" 4294967296 "),
        net_line().replace(b" 1000 ", b" 1x00 "),
        net_line().replace(b" 1000 ", b" -100 "),
        net_line()[:90] + b"\n",
        net_line(local=V6, peer=V6),
    ],
)
def test_senseless_line_is_counted_and_left_out(line: bytes):
    """What is before and behind it is there."""
    file = parse_net_file(HEADER + net_line(inode=1) + line + net_line(inode=2), 4)
    assert (file.sockets["inode"].tolist(), file.malformed) == ([1, 2], 1)


def test_last_line_that_was_cut_short_is_left_out():
    """Its inode may be only the first digits of one."""
    file = parse_net_file(HEADER + net_line(inode=1) + net_line(inode=2)[:-1], 4)
    assert (file.sockets["inode"].tolist(), file.malformed) == ([1], 1)


@pytest.mark.parametrize("text", [b"", HEADER, HEADER[:-1]])
def test_file_without_sockets(text: bytes):
    """Nothing, a header, a part of one."""
    assert len(parse_net_file(text, 4).sockets) == 0


def test_many_lines():
    """A large file, all in its order."""
    lines = [net_line(number, inode=number + 1) for number in range(20_000)]
    file = parse_net_file(HEADER + b"".join(lines), 4)
    assert (file.sockets["inode"] == np.arange(1, 20_001)).all()


def oracle(text: bytes, family: int) -> tuple[list[tuple[Any, ...]], int]:
    """The same, line by line and word by word."""
    found, malformed = list[tuple[Any, ...]](), 0
    lines = text.split(b"\n")
    if lines.pop():
        malformed += 1
    if lines and lines[0].lstrip().startswith(b"sl "):
        lines = lines[1:]
    for line in lines:
        read = oracle_line(line.decode("latin-1"), family)
        malformed += read is None
        found += [read] if read else []
    return found, malformed


def oracle_line(line: str, family: int) -> tuple[Any, ...] | None:
    number, colon, rest = line.partition(":")
    if not colon or len(number) > 11 or number.strip("0123456789 "):
        return None
    words = rest.split(" ")
    decimals = [word for word in " ".join(words[7:]).split(" ") if word][:3]
    hexes = [part for word in words[1:7] for part in word.split(":")]
    colons = [word.count(":") for word in words[:7]]
    digits = 8 if family == 4 else 32
    widths = [digits, 4, digits, 4, 2, 8, 8, 2, 8, 8]
    if words[0] or colons != [0, 1, 1, 0, 1, 1, 0] or [len(word) for word in hexes] != widths:
        return None
    if not all(HEX.fullmatch(word) for word in hexes):
        return None
    if len(decimals) < 3 or not all(DECIMAL.fullmatch(word) for word in decimals):
        return None
    uid, inode = int(decimals[0]), int(decimals[2])
    if max(uid, inode) >= 1 << 32:
        return None
    addresses = [oracle_address(hexes[0]), oracle_address(hexes[2])]
    is_v4 = family == 4 or any(address.ipv4_mapped for address in addresses)
    numbers = [int(word, 16) for word in (*hexes[1:2], *hexes[3:8])]
    return (*(address.packed for address in addresses), *numbers, uid, inode, 4 if is_v4 else 6)


def oracle_address(text: str) -> IPv6Address:
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    packed = b"".join(socket.htonl(word).to_bytes(4, "big") for word in words)
    if len(packed) == 4:
        return IPv6Address(f"::ffff:{ip_address(packed)}")
    return IPv6Address(packed)


def plain(sockets: Any) -> list[tuple[Any, ...]]:
    """What was read, as the oracle says it."""
    names = ("local_port", "peer_port", "state", "tx_queue", "rx_queue", "timer", "uid", "inode")
    return [
        (
            row["local_address"].tobytes(),
            row["peer_address"].tobytes(),
            *(int(row[name]) for name in names),
            int(row["family"]),
        )
        for row in sockets
    ]


@st.composite
def texts(draw: st.DrawFn, family: int) -> bytes:
    """Files as the kernel writes them, with some bytes changed and some cut out."""
    words = 1 if family == 4 else 4
    number = st.integers(0, 0xFFFFFFFF)
    word = st.one_of(st.sampled_from([0, 0xFFFF0000, 0xFFFF, 0x0100007F]), number)
    port = st.integers(0, 0xFFFF)
    lines = []
    for at in range(draw(st.integers(0, 6))):
        ends = [
            "".join(f"{draw(word):08X}" for _ in range(words)) + f":{draw(port):04X}"
            for _ in range(2)
        ]
        queues = f"{draw(number):08X}:{draw(number):08X}"
        uid, inode = draw(number), draw(st.integers(0, 1 << 33))
        shown = draw(st.sampled_from([at, 9999, 12345, 10**9]))
        state = draw(st.integers(0, 12))
        lines.append(
            net_line(
                shown,
                local=ends[0],
                peer=ends[1],
                state=state,
                queues=queues,
                uid=uid,
                inode=inode,
            )
        )
    text = bytearray((HEADER if draw(st.booleans()) else b"") + b"".join(lines))
    change = st.tuples(
        st.integers(0, max(0, len(text) - 1)),
        st.sampled_from(b" \n:0FGx\0\t-9\r\xff"),
        st.booleans(),
    )
    for at, byte, is_cut in draw(st.lists(change, max_size=4)):
        if text:
            place = slice(min(at, len(text) - 1), min(at, len(text) - 1) + 1)
            text[place] = b"" if is_cut else bytes([byte])
    return bytes(text)


@pytest.mark.parametrize("family", [4, 6])
@given(data=st.data())
def test_as_the_oracle_reads_it(family: int, data: st.DataObject):
    """Whatever happened to a file, both read the same lines and count the same others."""
    text = data.draw(texts(family))
    file = parse_net_file(text, family)
    assert (plain(file.sockets), file.malformed) == oracle(text, family)


@given(text=st.binary(max_size=400), family=st.sampled_from([4, 6]))
def test_any_bytes(text: bytes, family: int):
    """Nothing that is in a file is an error."""
    file = parse_net_file(text, family)
    assert file.sockets.dtype == NET_SOCKET
    assert (plain(file.sockets), file.malformed) == oracle(text, family)
