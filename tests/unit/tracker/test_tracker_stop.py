"""How the tracker waits, and how it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from tests.unit.tracker.following import Following, following, make_tracker
from tests.unit.tracker.three_tiers import THREE_TIERS
from tests.unit.tracker.world import Machine, World

from connscope.row.words import Tier

BTF = Tier.BTF
SHORT_S = 0.01


def test_wait_ends_with_an_event():
    """It need not be time for a look."""
    followed = following()
    followed.opens()
    assert followed.tracker.wait(SHORT_S)


def test_wait_ends_when_a_look_is_due():
    """However long one would wait."""
    followed = following()
    assert followed.tracker.wait(100)
    assert followed.world.now_s == pytest.approx(101, abs=0.01)


def test_wait_ends_when_the_time_is_over():
    """Without anything to do."""
    followed = following()
    assert not followed.tracker.wait(0.5)
    assert followed.world.now_s == pytest.approx(100.5, abs=0.01)


# Stopping


def stop_twice(followed: Following) -> None:
    """One call after the other."""
    followed.tracker.stop()
    followed.tracker.close()


def stop_from_two_threads(followed: Following) -> None:
    """Both at once."""
    barrier = threading.Barrier(2)

    def stop() -> None:
        barrier.wait()
        followed.tracker.stop()

    threads = [threading.Thread(target=stop) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def stop_while_another_thread_waits(followed: Following) -> None:
    """The tier does not wake up by itself, and no time passes."""
    waits, found = threading.Event(), list[bool]()

    def wait(timeout_s: float | None) -> bool:
        waits.set()
        return threading.Event().wait(min(timeout_s or 0, SHORT_S))

    followed.tier.wait = wait  # type: ignore[method-assign]
    thread = threading.Thread(target=lambda: found.append(followed.tracker.wait(1000)))
    thread.start()
    assert waits.wait(10)
    followed.tracker.stop()
    thread.join(10)
    assert found == [False]


@pytest.mark.parametrize(
    "stop", [stop_twice, stop_from_two_threads, stop_while_another_thread_waits]
)
def test_tier_is_closed_once(stop: Callable[[Following], None]):
    """However it is stopped; and nothing is told afterwards."""
    followed = following()
    followed.opens()
    stop(followed)
    assert (followed.machine.closed, followed.world.tells) == ([BTF], [])
    assert (followed.advance(after_s=5000), followed.machine.closed) == ([], [BTF])
    assert len(followed.machine.tried) == 1


def test_stop_returns_when_nothing_is_open_any_more():
    """Also in a second thread, while the first one is still closing."""
    followed, order = following(), list[str]()
    closing, may_close, really_close = threading.Event(), threading.Event(), followed.tier.close

    def close() -> None:
        closing.set()
        assert may_close.wait(10)
        really_close()
        order.append("closed")

    def stop() -> None:
        followed.tracker.stop()
        order.append("returned")

    followed.tier.close = close  # type: ignore[method-assign]
    threads = [threading.Thread(target=stop) for _ in range(2)]
    threads[0].start()
    assert closing.wait(10)
    threads[1].start()
    threads[1].join(5 * SHORT_S)
    may_close.set()
    for thread in threads:
        thread.join()
    assert order == ["closed", "returned", "returned"]


def test_stop_after_the_last_tier_has_died():
    """There is nothing to close, and nothing is tried any more."""
    followed = following()
    followed.machine.missing, followed.tier.broken = set(THREE_TIERS), True
    followed.advance()
    followed.tracker.stop()
    followed.machine.missing.clear()
    assert followed.advance(after_s=5000) == []
    assert (followed.machine.closed, len(followed.machine.opened)) == ([BTF], 1)


def test_stop_before_it_is_opened():
    """Whoever opens it later is too late."""
    followed = Following()
    followed.tracker.stop()
    followed.open()
    assert (followed.world.tells, followed.tracker.tier, followed.advance()) == ([], None, [])


def test_stop_without_opening():
    """It is not even opened."""
    tracker = make_tracker(Machine(World()))
    tracker.stop()
    assert not tracker.wait(1)


def test_it_stops_at_the_end_of_its_block():
    """Like everything that holds something of the kernel's."""
    followed = Following()
    with followed.tracker:
        followed.open()
    assert followed.machine.closed == [BTF]
