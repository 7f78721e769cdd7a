"""Lines of the table, letter by letter."""

from __future__ import annotations

import pwd
import re
import socket
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.cli.trace_lines import TraceLines
from connscope.row.columns import ROW, Rows, lost_row
from connscope.row.words import (
    ClosedBy,
    Failure,
    Group,
    Kind,
    OwnerEvidence,
    Protocol,
    Role,
    State,
    Tier,
)
from tests.unit.sample_rows import any_rows, one_row, sensible_rows

SECOND_NS = 1_000_000_000
OFFSET_NS = 1_700_000_000 * SECOND_NS
CLOCK = time.strftime("%H:%M:%S", time.localtime(1_700_000_005)) + ".250"
NOBODYS_UID = 0xFFFFFFF0
LEFT = {"TIME", "EVENT", "COMM", "DIR", "LADDR", "RADDR", "USER", "HOW"}

CONNECTION: dict[str, Any] = {
    "time_ns": 5 * SECOND_NS + 250_999_999,
    "protocol": Protocol.TCP,
    "family": 4,
    "known": Group(127),
    "local_address": "10.0.0.1",
    "local_port": 54321,
    "peer_address": "192.168.100.200",
    "peer_port": 443,
    "netns": 4026531840,
    "pid": 1234,
    "uid": 0,
    "comm": b"curl",
    "connection_id": 18446462598732840961,
    "owner_evidence": OwnerEvidence.CONNECT,
    "role": Role.CLIENT,
}
SERVED = {**CONNECTION, "role": Role.SERVER, "owner_evidence": OwnerEvidence.LISTENER}
LIFE = {"opened_ns": 4 * SECOND_NS, "closed_ns": 5 * SECOND_NS + 1_234_567}
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "client": (
        {**CONNECTION, "kind": Kind.OPENED, "bytes_sent": 5, "state": State.ESTABLISHED},
        "opened         1234 curl             4 out 10.0.0.1        54321 192.168.100.200   443",
    ),
    "server": (
        {**SERVED, "kind": Kind.OPENED, "comm": b"nginx: worker p"},
        "opened        ~1234 nginx: worker p  4 in  10.0.0.1        54321 192.168.100.200   443",
    ),
    "accepted": (
        {**SERVED, "kind": Kind.ACCEPTED, "owner_evidence": OwnerEvidence.ACCEPT},
        "accepted       1234 curl             4 in  10.0.0.1        54321 192.168.100.200   443",
    ),
    "failed": (
        {**CONNECTION, **LIFE, "kind": Kind.FAILED, "failure": Failure.REFUSED, "error": 111},
        "failed         1234 curl             4 out 10.0.0.1        54321 192.168.100.200   443"
        "                         1001.23 refused ECONNREFUSED",
    ),
    "closed": (
        {
            **CONNECTION,
            **LIFE,
            "kind": Kind.CLOSED,
            "bytes_sent": 1 << 32,
            "closed_by": ClosedBy.LOCAL_RESET,
            "unread_bytes": 3,
        },
        "closed         1234 curl             4 out 10.0.0.1        54321 192.168.100.200   443"
        " 4294967296          0   1001.23 by local reset 3 bytes unread",
    ),
    "closed, bytes unknown": (
        {**CONNECTION, "kind": Kind.CLOSED, "known": Group.ENDS, "bytes_sent": 9},
        "closed         1234 curl             4 out 10.0.0.1        54321 192.168.100.200   443",
    ),
    "listening": (
        {
            **SERVED,
            "kind": Kind.LISTENING,
            "role": Role.UNKNOWN,
            "family": 6,
            "local_address": "::",
            "peer_address": "::",
            "peer_port": 0,
        },
        "listening      1234 curl             6     ::              54321 ::",
    ),
    "no owner": (
        {"kind": Kind.OPENED, "time_ns": CONNECTION["time_ns"]},
        "opened",
    ),
}
WIDE = (
    "closed         1234 curl             4 out 10.0.0.1        54321 192.168.100.200   443"
    "          7          8   1001.23 0        4026531840      10         12       9"
    " 18446462598732840961 by peer"
)


def line(rows: Rows, *, wide: bool = False, numeric: bool = True) -> str:
    """The one line of a batch of one row."""
    return TraceLines(wide=wide, numeric=numeric).lines(rows, OFFSET_NS)


def gaps(header: str) -> list[int]:
    """Where no cell may stand: left of a title that is to the left, right of any other."""
    titles = list(re.finditer(r"\w+", header))[1:]
    return [title.start() - 1 if title[0] in LEFT else title.end() for title in titles]


def test_header():
    """The titles stand over their columns, numbers to the right."""
    assert TraceLines().header() == (
        "TIME         EVENT           PID COMM            IP DIR LADDR           LPORT"
        " RADDR           RPORT         TX         RX        MS HOW\n"
    )


def test_wide_header():
    """Wide adds the user, the namespace, the quality and the identity, before how it ended."""
    assert TraceLines(wide=True).header() == (
        "TIME         EVENT           PID COMM            IP DIR LADDR           LPORT"
        " RADDR           RPORT         TX         RX        MS USER          NETNS  RTT_US"
        " CONNECT_US RETRANS                   ID HOW\n"
    )


@pytest.mark.parametrize("case", CASES)
def test_line_of_each_kind(case: str):
    """Each kind of row shows what it knows, and nothing where it knows nothing."""
    row, text = CASES[case]
    assert line(one_row(**row)) == f"{CLOCK} {text}\n"


def test_line_of_lost_rows():
    """A lost row says how many, under HOW, and what to do about it."""
    text = line(lost_row(3, CONNECTION["time_ns"], Tier.BTF))
    how = TraceLines().header().index("HOW")
    assert text == (
        f"{CLOCK} lost".ljust(how) + "3 events are missing here: the ring was full (ring_bytes)\n"
    )


def test_wide_line():
    """A wide line has all columns."""
    quality = {"rtt_us": 10, "connect_us": 12, "retransmits": 9}
    traffic = {"bytes_sent": 7, "bytes_received": 8, "closed_by": ClosedBy.PEER}
    row = one_row(**CONNECTION, **LIFE, **quality, **traffic, kind=Kind.CLOSED)
    assert line(row, wide=True) == f"{CLOCK} {WIDE}\n"


def service(port: int) -> str:
    """The port's name on this machine, if the column is wide enough for it."""
    try:
        name = socket.getservbyport(port, "tcp")
    except OSError:
        return str(port)
    return name if len(name) <= len("RPORT") else str(port)


@pytest.mark.parametrize("port", [22, 53, 443, 5432, 54321, 65535])
def test_peer_port_is_the_services_name(port: int):
    """The peer's port is the name that this machine has for it, where the column can hold it."""
    row = one_row(**{**CONNECTION, "peer_port": port, "kind": Kind.OPENED})
    assert line(row, numeric=False).split()[-1] == service(port)


def test_peer_port_of_a_client_is_a_number():
    """Which port a client got says nothing, even if a service has the same."""
    row = one_row(**{**CONNECTION, "role": Role.SERVER, "peer_port": 443, "kind": Kind.OPENED})
    assert line(row, numeric=False).split()[-1] == "443"


@pytest.mark.parametrize("port", [22, 443, 54321])
def test_numeric_port_is_the_number(port: int):
    """With -n no name stands for a port."""
    row = one_row(**{**CONNECTION, "peer_port": port, "kind": Kind.OPENED})
    assert line(row).split()[-1] == str(port)


@pytest.mark.parametrize(
    ("uid", "numeric", "text"),
    [
        (0, False, pwd.getpwuid(0).pw_name),
        (0, True, "0"),
        (NOBODYS_UID, False, str(NOBODYS_UID)),
    ],
)
def test_user_is_named(uid: int, numeric: bool, text: str):
    """The user is a name if there is one and numbers were not asked for."""
    row = one_row(**{**CONNECTION, "uid": uid, "kind": Kind.OPENED})
    assert line(row, wide=True, numeric=numeric).split()[10] == text


@pytest.mark.parametrize("evidence", OwnerEvidence)
def test_estimated_owner_is_marked(evidence: OwnerEvidence):
    """Only connect and accept are proof, any other owner has a ~."""
    row = one_row(**{**CONNECTION, "owner_evidence": evidence, "kind": Kind.OPENED})
    proven = evidence in {OwnerEvidence.CONNECT, OwnerEvidence.ACCEPT}
    assert line(row).split()[2] == ("1234" if proven else "~1234")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("wide", [False, True])
def test_cells_stand_in_their_columns(case: str, wide: bool):
    """Where one column ends and the next begins there is a space, in each line."""
    lines = TraceLines(wide=wide, numeric=True)
    text = lines.lines(one_row(**CASES[case][0]), OFFSET_NS).rstrip("\n")
    assert {text[gap] for gap in gaps(lines.header()) if gap < len(text)} <= {" "}


@pytest.mark.parametrize(
    ("comm", "text"),
    [
        (b"\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        (b"a\nclosed", r"a\x0aclosed"),
        ("\u202eevil".encode(), r"\xe2\x80\xaeevil"),
    ],
)
def test_escape_codes_are_shown_not_sent(comm: bytes, text: str):
    """What a process calls itself can not colour, break or turn around a line."""
    assert line(one_row(**{**CONNECTION, "comm": comm, "kind": Kind.OPENED})) == (
        f"{CLOCK} opened         1234 {text:15}  4 out"
        " 10.0.0.1        54321 192.168.100.200   443\n"
    )


@given(sensible_rows(), st.booleans(), st.booleans())
def test_lines_are_printable(rows: Rows, wide: bool, numeric: bool):
    """Whatever is in the rows, each makes one line in which nothing can move a cursor."""
    text = TraceLines(wide=wide, numeric=numeric).lines(rows, OFFSET_NS)
    lines = text.split("\n")
    assert (len(lines) - 1, lines[-1]) == (len(rows), "")
    assert all(each.isprintable() for each in lines)


@given(any_rows())
def test_any_bytes_make_lines(rows: Rows):
    """Numbers that no word stands for end no stream."""
    assert TraceLines().lines(rows, OFFSET_NS).count("\n") == len(rows)


def test_no_rows_make_no_text():
    """An empty batch writes nothing."""
    assert TraceLines().lines(np.zeros(0, ROW), 0) == ""
