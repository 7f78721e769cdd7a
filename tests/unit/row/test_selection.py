"""What is selected, against a slow judge that looks at one row after the other."""

from __future__ import annotations

import os
from ipaddress import IPv6Address
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.row.address import parse_network
from connscope.row.columns import ROW, Rows, lost_row
from connscope.row.selection import Selection
from connscope.row.words import Kind, Role
from tests.unit.sample_rows import one_row, sensible_rows

COMM_LENGTH = 15


def name_matches(raw: bytes, wish: str) -> bool:
    """If the process has the name; the kernel keeps 15 bytes of it."""
    name, wanted = raw.partition(b"\0")[0], os.fsencode(wish)
    if wanted.endswith(b"*"):
        return name.startswith(wanted[:-1][:COMM_LENGTH])
    return name == wanted[:COMM_LENGTH]


def wanted(selection: Selection, row: Any) -> bool:
    """What `Selection` promises, of one row."""
    ends = [IPv6Address(row[end].tobytes()) for end in ("local_address", "peer_address")]
    conditions = [
        not selection.pids or row["pid"] in selection.pids,
        not selection.uids or row["uid"] in selection.uids,
        not selection.netns or row["netns"] in selection.netns,
        not selection.comms
        or any(name_matches(row["comm"].tobytes(), comm) for comm in selection.comms),
        not selection.ports
        or row["local_port"] in selection.ports
        or row["peer_port"] in selection.ports,
        not selection.networks
        or any(end in network for end in ends for network in selection.networks),
        selection.role is None or row["role"] == selection.role,
        not selection.failed or row["kind"] == Kind.FAILED,
    ]
    return all(conditions) or row["kind"] == Kind.LOST


FEW_NUMBERS = st.lists(st.integers(0, 3), min_size=1, max_size=2).map(tuple)
NAMES = st.text("ab", max_size=3) | st.just("aaaaaaaaaaaaaaaab")
NETWORKS = st.sampled_from(["10.0.0.0/8", "0.0.0.0/0", "::/0", "fd00::/8", "10.0.0.1"])
ADDRESSES = st.sampled_from(["10.0.0.1", "10.2.0.1", "9.9.9.9", "fd00::1", "2001:db8::1"])
CONDITIONS: dict[str, st.SearchStrategy[Any]] = {
    "pids": FEW_NUMBERS,
    "uids": FEW_NUMBERS,
    "netns": FEW_NUMBERS,
    "ports": FEW_NUMBERS,
    "comms": st.lists(NAMES | NAMES.map("{}*".format), min_size=1, max_size=2).map(tuple),
    "networks": st.lists(NETWORKS.map(parse_network), min_size=1, max_size=2).map(tuple),
    "role": st.sampled_from(Role),
    "failed": st.just(True),
}


@st.composite
def selections(draw: st.DrawFn) -> Selection:
    """Selections of few conditions, so that some row is likely to be selected."""
    names = draw(st.sets(st.sampled_from(tuple(CONDITIONS)), max_size=2))
    return Selection(**{name: draw(CONDITIONS[name]) for name in sorted(names)})


@st.composite
def few_valued_rows(draw: st.DrawFn) -> Rows:
    """Rows whose columns often hold what a selection asks for."""
    numbers = dict.fromkeys(("pid", "uid", "netns", "local_port", "peer_port"), st.integers(0, 3))
    columns = {
        **numbers,
        "kind": st.sampled_from(Kind),
        "role": st.sampled_from(Role),
        "comm": st.text("ab", max_size=3).map(str.encode) | st.just(b"a" * 15),
        "local_address": ADDRESSES,
        "peer_address": ADDRESSES,
    }
    count = draw(st.integers(0, 6))
    drawn = [one_row(**draw(st.fixed_dictionaries(columns))) for _ in range(count)]
    return np.concatenate([np.zeros(0, ROW), *drawn])


@pytest.mark.parametrize("name", CONDITIONS)
@given(data=st.data(), rows=few_valued_rows())
def test_each_condition_agrees_with_looking_at_each_row(name: str, data: st.DataObject, rows: Rows):
    """Exactly those rows are selected that the one condition holds for, and lost ones."""
    selection = Selection(**{name: data.draw(CONDITIONS[name])})
    slowly = [row.tobytes() for row in rows if wanted(selection, row)]
    assert [row.tobytes() for row in selection.apply(rows)] == slowly


@given(selections(), few_valued_rows() | sensible_rows())
def test_apply_agrees_with_looking_at_each_row(selection: Selection, rows: Rows):
    """Exactly those rows are selected that all conditions hold for, in order, and lost ones."""
    slowly = [row.tobytes() for row in rows if wanted(selection, row)]
    assert [row.tobytes() for row in selection.apply(rows)] == slowly


@given(selections())
def test_lost_row_is_always_selected(selection: Selection):
    """No condition hides that rows are missing."""
    assert len(selection.apply(lost_row(3, 1, 1))) == 1


def test_empty_selection_selects_everything():
    """Without conditions the batch itself comes back, not a copy."""
    rows = one_row(kind=Kind.OPENED)
    assert Selection().apply(rows) is rows


@pytest.mark.parametrize(
    ("comm", "selected"),
    [
        ("nginx", [b"nginx"]),
        ("nginx*", [b"nginx", b"nginx: worker p"]),
        ("nginx: worker process", [b"nginx: worker p"]),
        ("nginx: worker process*", [b"nginx: worker p"]),
        ("*", [b"nginx", b"nginx: worker p", b"\xffbad", b""]),
        ("ngin", []),
        ("n*x", []),
        ("", [b""]),
        ("\udcffbad", [b"\xffbad"]),
    ],
)
def test_names_of_processes(comm: str, selected: list[bytes]):
    """A name is whole unless it ends in *; longer wishes are cut; bytes are as given."""
    names = (b"nginx", b"nginx: worker p", b"\xffbad", b"")
    rows = np.concatenate([one_row(comm=name, kind=Kind.OPENED) for name in names])
    found = Selection(comms=(comm,)).apply(rows)
    assert [raw.partition(b"\0")[0] for raw in found["comm"].tolist()] == selected


@pytest.mark.parametrize("number", [-1, 1 << 32, 1 << 70])
def test_number_that_no_row_can_have_selects_nothing(number: int):
    """A number beyond the column is no error and no match."""
    assert len(Selection(pids=(number,)).apply(one_row(kind=Kind.OPENED, pid=1))) == 0
