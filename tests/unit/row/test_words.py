"""The words against the enums in C."""

from __future__ import annotations

import socket
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    word,
)
from tests.unit.row.c_enums import read_enums

HEADER = Path(__file__).parents[3] / "bpf" / "row.h"
IN_C = {
    "row_kind": (Kind, "KIND_"),
    "row_role": (Role, "ROLE_"),
    "row_owner_evidence": (OwnerEvidence, "OWNER_"),
    "row_failure": (Failure, "FAILURE_"),
    "row_closed_by": (ClosedBy, "CLOSED_BY_"),
    "row_group": (Group, "GROUP_"),
}
ENUMERATED = (Kind, Tier, Protocol, Role, State, OwnerEvidence, Failure, ClosedBy)


@pytest.mark.parametrize("name", IN_C)
def test_members_are_those_of_the_c_enum(name: str):
    """Every enumerator of the header is a member of the same number, and the other way round."""
    words, prefix = IN_C[name]
    assert read_enums(HEADER)[name] == {prefix + member.name: member.value for member in words}


def test_every_c_enum_has_its_words():
    """No enum of the header is without words."""
    assert set(read_enums(HEADER)) == set(IN_C)


def test_states_are_the_kernels():
    """The numbers are those that getsockopt(TCP_INFO) gives."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        listening = server.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        with socket.create_connection(server.getsockname()) as client:
            established = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    assert (listening, established) == (State.LISTEN, State.ESTABLISHED)


def test_protocols_are_ianas():
    """The numbers are those of the socket calls."""
    assert (Protocol.TCP, Protocol.UDP) == (socket.IPPROTO_TCP, socket.IPPROTO_UDP)


@pytest.mark.parametrize(
    ("member", "text"),
    [
        (ClosedBy.LOCAL_RESET, "local_reset"),
        (OwnerEvidence.FD_TABLE, "fd_table"),
        (Group.LIFE, "life"),
    ],
)
def test_word_is_the_lower_case_name(member: IntEnum | IntFlag, text: str):
    """Words are lower-case with underscores."""
    assert word(member) == text


@pytest.mark.parametrize("words", ENUMERATED)
@given(number=st.integers(0, 255))
def test_every_number_of_a_byte_has_a_word(words: type[IntEnum], number: int):
    """A number without a name is its own word, also as NumPy has it."""
    named = {member.value: member.name.lower() for member in words}
    value: Any = np.uint8(number)
    assert word(words(value)) == named.get(number, str(number))


def test_unnamed_number_makes_no_member():
    """What a stranger sent is not among the words afterwards."""
    Kind(200)
    assert max(Kind) == Kind.LOST


def test_text_is_no_number():
    """Only numbers can be without a name."""
    with pytest.raises(ValueError, match="'opened' is not a valid Kind"):
        Kind("opened")  # type: ignore[arg-type] # that is the point
