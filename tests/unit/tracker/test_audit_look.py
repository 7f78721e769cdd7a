"""A look compared with the kernel's level."""

from __future__ import annotations

import numpy as np
from tests.unit.sample_rows import one_row

from connscope.row.columns import Rows
from connscope.row.words import Protocol, State
from connscope.tracker.audit_look import audit_look


def row(netns: int, state: State, protocol: Protocol = Protocol.TCP) -> Rows:
    """An open socket."""
    return one_row(netns=netns, state=state, protocol=protocol)


LOOK = np.concatenate(
    (
        row(1, State.ESTABLISHED),
        row(1, State.CLOSE_WAIT),
        row(1, State.FIN_WAIT1),
        row(1, State.LISTEN),
        row(1, State.ESTABLISHED, Protocol.UDP),
        row(2, State.ESTABLISHED),
    )
)


def test_established_and_close_wait_are_what_the_kernel_counts():
    """No other state, and nothing but TCP."""
    one, two = audit_look(LOOK, {1: 2, 2: 1}, {1: 2, 2: 1})
    assert (one.saw, one.missing, one.surplus) == (2, 0, 0)
    assert (two.saw, two.missing, two.surplus) == (1, 0, 0)


def test_two_readings_that_differ_are_a_span():
    """Whatever lies between them is right."""
    one, _ = audit_look(LOOK, {1: 5, 2: 1}, {1: 1, 2: 1})
    assert (one.counted_least, one.counted_most) == (1, 5)
    assert (one.missing, one.surplus) == (0, 0)


def test_what_is_missing_or_too_much_is_certain():
    """Less than both readings, more than both."""
    one, two = audit_look(LOOK, {1: 5, 2: 0}, {1: 4, 2: 0})
    assert (one.missing, two.surplus) == (2, 1)


def test_namespace_that_was_not_read_twice_is_not_compared():
    """It has ended meanwhile, or may not be entered."""
    one, two = audit_look(LOOK, {1: 2}, {})
    assert (one.counted_most, two.counted_most) == (None, None)
    assert (two.missing, two.surplus) == (0, 0)


def test_namespace_without_a_row_is_compared_too():
    """Nothing may be hidden there."""
    (only,) = audit_look(LOOK[:0], {7: 3}, {7: 3})
    assert (only.netns, only.saw, only.missing) == (7, 0, 3)
