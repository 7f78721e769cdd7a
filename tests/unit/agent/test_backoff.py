"""How long the agent waits between tries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connscope.agent.backoff import Backoff


def test_doubles_to_a_minute_and_stays_there():
    """With the longest of each wait."""
    backoff = Backoff(lambda: 1.0)
    assert [backoff.failed() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


@given(st.lists(st.floats(0, 1), max_size=12))
def test_is_never_more_than_a_minute_nor_less_than_half_a_second(draws):
    """Whatever is drawn, and at least half of what it could be."""
    left = iter(draws)
    backoff = Backoff(lambda: next(left))
    for number in range(len(draws)):
        whole_s = min(2.0**number, 60)
        assert whole_s / 2 <= backoff.failed() <= whole_s


def test_differs_between_agents():
    """A fleet does not come back all at once."""
    assert len({Backoff().failed() for _ in range(20)}) > 1


def test_begins_again_after_a_success():
    """The next failure is a first one."""
    backoff = Backoff(lambda: 1.0)
    for _ in range(5):
        backoff.failed()
    backoff.succeeded()
    assert backoff.failed() == 1
