"""The table of open connections, letter by letter and in every width."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.cli.cells import text_width
from connscope.cli.list_table import ListTable, Table, line_width
from connscope.row.columns import ROW, Rows
from connscope.row.words import Failure, Kind, OwnerEvidence, Protocol, Role, State
from tests.unit.cli.list_rows import NOW_NS, connection, listener, time_wait
from tests.unit.sample_rows import any_rows, sensible_rows

LONG = "2001:db8:1111:2222:3333:4444:5555:6666"


def table(
    *batches: Rows, width: int | None = 200, wide: bool = False, listeners: bool = False
) -> Table:
    """A table with numbers for ports and users."""
    made = ListTable(wide=wide, numeric=True, listeners=listeners)
    return made.make(np.concatenate(batches), width)


def test_ordinary_width():
    """80 columns hold what matters; no line has spaces at its end."""
    assert table(connection(), listener(), time_wait(), width=80).text() == (
        "STATE        PID COMM  LOCAL          PEER                   TX   RX RTT_MS  AGE\n"
        "established 1234 curl  10.0.0.1:54321 192.168.100.200:443 12.3K 6.7M  12.34 2m5s\n"
        "listen        99 nginx 0.0.0.0:443\n"
        "time_wait              [fd00::1]:443  [fd00::2]:50000\n"
    )


def test_more_room_has_more_columns():
    """A wider line has who connected, the queue, the user and the namespace too."""
    assert table(connection(), listener(), width=200).text() == (
        "STATE        PID COMM  DIR LOCAL          PEER                   TX   RX RTT_MS  AGE"
        " QUEUE USER      NETNS\n"
        "established 1234 curl  out 10.0.0.1:54321 192.168.100.200:443 12.3K 6.7M  12.34 2m5s"
        "       0    4026531840\n"
        "listen        99 nginx     0.0.0.0:443                                              "
        " 3/128 0    4026531840\n"
    )


def test_piped_table_has_always_the_same_columns():
    """Also those that are empty, for those who count them."""
    assert table(listener(), width=None).header.split() == [
        *("STATE", "PID", "COMM", "LOCAL", "PEER", "TX", "RX", "RTT_MS", "AGE")
    ]


def test_listeners():
    """Listeners have their queue, and from where they can be reached."""
    assert table(listener(), listener(local_address="127.0.0.1"), listeners=True).text() == (
        "PID COMM  LOCAL         EXPOSURE QUEUE LIMIT USER      NETNS\n"
        " 99 nginx 0.0.0.0:443   all          3   128 0    4026531840\n"
        " 99 nginx 127.0.0.1:443 loopback     3   128 0    4026531840\n"
    )


def test_wide_has_exact_numbers():
    """-o wide cuts nothing and rounds nothing, whatever the width."""
    made = table(connection(), wide=True, width=80)
    assert made.header.split()[-2:] == ["INODE", "ID"]
    assert {"12345", "6700000", "12340", "77"} < set(made.lines[0].split())


@pytest.mark.parametrize(
    ("address", "exposure"),
    [
        *(("0.0.0.0", "all"), ("::", "all"), ("127.0.0.53", "loopback"), ("::1", "loopback")),
        *(("10.1.2.3", "private"), ("172.31.0.1", "private"), ("192.168.1.1", "private")),
        *(("100.64.0.1", "private"), ("169.254.1.1", "private"), ("fe80::1", "private")),
        *(("fd00::1", "private"), ("8.8.8.8", "public"), ("2001:db8::1", "public")),
        ("172.32.0.1", "public"),
    ],
)
def test_exposure(address: str, exposure: str):
    """Whoever binds to every address is exposed most."""
    assert table(listener(local_address=address), listeners=True).lines[0].split()[3] == exposure


@pytest.mark.parametrize("width", range(80, 201, 5))
def test_long_addresses_fit(width: int):
    """No line is longer than asked for, and the ports of both ends stay whole."""
    row = connection(
        local_address=LONG, peer_address=LONG, family=6, comm=b"a long name 123", pid=4194304
    )
    made = table(row, listener(), width=width)
    assert max(map(len, made.text().splitlines())) <= width
    assert ":54321 " in made.lines[0]
    assert ":443 " in made.lines[0]


def test_cut_in_the_middle():
    """Of a long address both ends are left, of a long name its beginning."""
    row = connection(local_address=LONG, peer_address=LONG, family=6, comm=b"a long name 123")
    assert table(row, width=80).lines[0] == (
        "established 1234 a long… [2001:db8:…666]:54321 [2001:db8:1…:6666]:443 12.3K 6.7M"
    )


@given(sensible_rows().filter(len), st.integers(80, 200), st.booleans())
def test_any_table_fits(rows: Rows, width: int, listeners: bool):
    """Whatever is in the rows, a line for each that fits and can move no cursor."""
    made = table(rows, width=width, listeners=listeners)
    assert len(made.lines) == len(rows)
    assert all(each.isprintable() for each in made.lines)
    assert max(map(text_width, (made.header, *made.lines))) <= width


@given(any_rows(), st.booleans())
def test_any_bytes_make_lines(rows: Rows, wide: bool):
    """Numbers that no word stands for end nothing."""
    assert len(table(rows, wide=wide, width=None).lines) == len(rows)


def test_no_rows_have_titles():
    """An empty list says that it is one."""
    assert table(np.zeros(0, ROW)).lines == []


@pytest.mark.parametrize("evidence", OwnerEvidence)
def test_estimated_owner_is_marked(evidence: OwnerEvidence):
    """Who connected, accepted or holds the descriptor is the owner; any other has a ~."""
    sure = {OwnerEvidence.CONNECT, OwnerEvidence.ACCEPT, OwnerEvidence.FD_TABLE}
    cell = table(connection(owner_evidence=evidence)).lines[0].split()[1]
    assert cell == ("1234" if evidence in sure else "~1234")


@pytest.mark.parametrize(
    ("role", "ends"),
    [
        (Role.CLIENT, ("10.0.0.1:22", "192.168.100.200:ssh")),
        (Role.SERVER, ("10.0.0.1:ssh", "192.168.100.200:22")),
    ],
)
def test_service_is_named_where_it_serves(role: Role, ends: tuple[str, str]):
    """A client's port is a number even if a service has the same."""
    made = ListTable(wide=False, numeric=False, listeners=False)
    line = made.make(connection(role=role, local_port=22, peer_port=22), 200).lines[0]
    assert tuple(line.split()[4:6]) == ends


@pytest.mark.parametrize(
    ("columns", "state"),
    [
        ({"kind": Kind.CLOSED, "state": State.CLOSE}, "closed"),
        ({"kind": Kind.FAILED, "failure": Failure.REFUSED}, "refused"),
        ({"kind": Kind.OPENED}, "established"),
    ],
)
def test_state_of_what_has_ended(columns: dict[str, int], state: str):
    """It says how it ended."""
    assert table(connection(**columns)).lines[0].split()[0] == state


@pytest.mark.parametrize(
    ("count", "text"),
    [
        *((0, "0"), (9999, "9999"), (10_000, "10.0K"), (99_949, "99.9K"), (99_950, "100K")),
        *((999_499, "999K"), (999_500, "1.0M"), ((1 << 64) - 1, "18.4E")),
    ],
)
def test_bytes_are_rounded(count: int, text: str):
    """Three digits and a unit of a thousand."""
    assert table(connection(bytes_sent=count)).lines[0].split()[6] == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (60, "1m0s"), (3599, "59m59s"), (3600, "1h0m"), (90_000, "1d1h")],
)
def test_age(seconds: int, text: str):
    """Two units at most."""
    row = connection(opened_ns=NOW_NS - seconds * 1_000_000_000)
    assert table(row, width=None).lines[0].split()[-1] == text


@pytest.mark.parametrize(
    ("columns", "width"), [("40", 80), ("120", 120), ("999", 200), ("", None), ("wide", None)]
)
def test_width_of_a_pipe(columns: str, width: int | None, monkeypatch: pytest.MonkeyPatch):
    """In a pipe nothing is cut, unless COLUMNS says so."""
    monkeypatch.setenv("COLUMNS", columns)
    assert line_width() == width


def test_udp_has_the_words_of_ss():
    """Its state says whether there is a peer, and if that is no single machine."""
    rows = np.concatenate(
        [
            connection(protocol=Protocol.UDP, peer_address=address, peer_port=port)
            for address, port in (("10.0.0.2", 53), ("0.0.0.0", 0), ("224.0.0.1", 9))
        ]
    )
    states = [line[:14].rstrip() for line in table(rows, width=80).lines]
    assert states == ["udp", "udp unconn", "udp multicast"]


def test_listeners_of_udp_have_their_protocol():
    """Where TCP's have none of their own, because all are TCP's."""
    rows = np.concatenate((listener(), connection(protocol=Protocol.UDP, peer_port=0)))
    made = ListTable(wide=False, numeric=True, listeners=True, udp=True).make(rows, None)
    assert [line[:5].rstrip() for line in (made.header, *made.lines)] == ["PROTO", "tcp", "udp"]
