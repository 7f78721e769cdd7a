"""The kernel's own counters."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.kernel.host.mib import (
    count_all_tcp_sockets,
    count_tcp_sockets,
    parse_mib,
    read_mib,
)

SNMP = """\
Tcp: RtoAlgorithm MaxConn ActiveOpens
Tcp: 1 -1 17
Udp: InDatagrams
Udp: 5
"""
NETSTAT = "TcpExt: ListenOverflows\nTcpExt: 4\n"


def test_counters_are_named_as_nstat_names_them(tmp_path: Path) -> None:
    """Group and name run together; both files make one table."""
    net = tmp_path / "7/net"
    net.mkdir(parents=True)
    (net / "snmp").write_text(SNMP)
    (net / "netstat").write_text(NETSTAT)
    assert read_mib(7, tmp_path) == {
        "TcpRtoAlgorithm": 1,
        "TcpMaxConn": -1,
        "TcpActiveOpens": 17,
        "UdpInDatagrams": 5,
        "TcpExtListenOverflows": 4,
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Tcp: A B\nTcp: 1\n", {"TcpA": 1}),
        ("Tcp: A\nTcp: 1 2\n", {"TcpA": 1}),
        ("Tcp: A B\nTcp: x 2\n", {"TcpB": 2}),
        ("Tcp: A\nUdp: B\nUdp: 3\n", {"UdpB": 3}),
        ("Tcp: A\n", {}),
    ],
    ids=["short values", "short names", "no number", "no values", "end of file"],
)
def test_what_does_not_fit_is_left_out(text: str, found: dict[str, int]) -> None:
    """The rest still counts."""
    assert parse_mib(text) == found


@given(st.text(alphabet="AB: -12\nTcp", max_size=100))
def test_any_text_gives_numbers(text: str) -> None:
    """Nothing in it stops the parser."""
    assert all(isinstance(value, int) for value in parse_mib(text).values())


@given(st.text())
def test_any_characters_are_survived(text: str) -> None:
    """Digits of other scripts, odd line ends, controls."""
    parse_mib(f"Tcp: A{text}\nTcp: {text}\n")


def test_connection_of_ours_is_counted() -> None:
    """The kernel's table of our own namespace moves when we connect."""
    before = read_mib()
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()),
    ):
        after = read_mib(os.getpid())
    assert after["TcpActiveOpens"] > before["TcpActiveOpens"]
    assert "TcpExtListenOverflows" in after


def test_process_that_is_gone_is_an_os_error() -> None:
    """Its namespace may be gone too."""
    with pytest.raises(FileNotFoundError):
        read_mib(2**30)


def test_tcp_sockets_of_both_families_are_counted(tmp_path: Path) -> None:
    """IPv6 has a file of its own, or none."""
    (tmp_path / "sockstat").write_text("sockets: used 9\nTCP: inuse 5 orphan 1\nUDP: inuse 3\n")
    assert count_tcp_sockets(tmp_path) == 5
    (tmp_path / "sockstat6").write_text("TCP6: inuse 2\nUDP6: inuse 4\n")
    assert count_tcp_sockets(tmp_path) == 7


def test_sockets_of_all_namespaces_are_counted(tmp_path: Path) -> None:
    """The same line has both numbers; a kernel that does not say has none."""
    file = tmp_path / "sockstat"
    file.write_text("sockets: used 9\nTCP: inuse 5 orphan 1 tw 2 alloc 16 mem 3\nUDP: inuse 3\n")
    assert count_all_tcp_sockets(tmp_path) == 16
    file.write_text("sockets: used 9\nTCP: inuse 5\n")
    assert count_all_tcp_sockets(tmp_path) == 0
