"""Keys of several columns, with Python's tuples as the judge."""

from __future__ import annotations

from ipaddress import IPv6Address

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.row.columns import ROW
from connscope.table import keys
from connscope.table.keys import address_words, are_among, is_loopback, is_v4, numbered
from tests.unit.sample_rows import one_row, packed

PART = st.sampled_from((0, 1, 2, 1 << 32, (1 << 64) - 1))
KEYS = st.lists(st.tuples(PART, PART, PART), max_size=20)


def columns(wanted):
    """A column for each part of the keys."""
    return list(np.array(wanted, np.uint64).reshape(-1, 3).T.copy())


def assert_numbers_tell_keys_apart(wanted):
    """Equal where the keys are, and as many numbers as keys."""
    numbers = numbered(columns(wanted)).tolist()
    assert len(set(zip(numbers, wanted, strict=True))) == len(set(wanted)) == len(set(numbers))
    assert set(numbers) == set(range(len(set(wanted))))


@given(KEYS)
def test_numbers_are_equal_where_keys_are(wanted):
    """And only there; they go from 0 on without a gap."""
    assert_numbers_tell_keys_apart(wanted)


@given(KEYS)
def test_hashes_may_collide(wanted):
    """If all keys have one hash the numbers are still right."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "ODD", np.uint64(0))
        assert_numbers_tell_keys_apart(wanted)


@given(KEYS, KEYS)
def test_keys_among_others_are_found(wanted, others):
    """The mask says what `in` says."""
    found = are_among(columns(wanted), columns(others)).tolist()
    assert found == [key in others for key in wanted]


@given(st.lists(st.ip_addresses(), max_size=5))
def test_v4_agrees_with_ipaddress(addresses):
    """v4-mapped addresses, and nothing that is nearly one."""
    texts = [*map(str, addresses), "0.0.0.0", "255.1.2.3", "::", "::fffe:1.2.3.4", "1::ffff:1:1"]
    rows = np.concatenate([np.empty(0, ROW), *(one_row(local_address=text) for text in texts)])
    expected = [IPv6Address(packed(text)).ipv4_mapped is not None for text in texts]
    assert is_v4(address_words(rows, "local_address")).tolist() == expected


@given(st.lists(st.ip_addresses(), max_size=5))
def test_loopback_agrees_with_ipaddress(addresses):
    """127.0.0.0/8 as v4-mapped addresses, and ::1."""
    texts = [*map(str, addresses), "127.0.0.1", "127.255.1.2", "126.255.255.255", "::1", "::2"]
    rows = np.concatenate([np.empty(0, ROW), *(one_row(local_address=text) for text in texts)])
    mapped = [IPv6Address(packed(text)) for text in texts]
    expected = [(address.ipv4_mapped or address).is_loopback for address in mapped]
    assert is_loopback(address_words(rows, "local_address")).tolist() == expected
