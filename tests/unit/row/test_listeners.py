"""What is known of a listener's queue."""

from __future__ import annotations

from connscope.row.listeners import has_queue_limit, is_listener
from connscope.row.words import Group, Kind, State
from tests.unit.sample_rows import one_row


def test_what_listened_is_a_listener_too() -> None:
    """Its last row says how long the queue was."""
    assert is_listener(one_row(kind=Kind.SNAPSHOT, state=State.LISTEN))
    assert is_listener(one_row(kind=Kind.UNLISTENED, state=State.CLOSE))
    assert not is_listener(one_row(kind=Kind.CLOSED, state=State.CLOSE))


def test_limit_of_0_counts_only_where_it_is_exact() -> None:
    """listen(fd, 0) is allowed; /proc tells no limit at all."""
    row = {"kind": Kind.SNAPSHOT, "state": State.LISTEN, "queue_limit": 0}
    assert has_queue_limit(one_row(**row, exact=Group.QUALITY))
    assert not has_queue_limit(one_row(**row, exact=0))
    assert has_queue_limit(one_row(**{**row, "queue_limit": 5}, exact=0))
