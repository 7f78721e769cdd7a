"""An audit that runs, and what it finds of one network namespace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.kernel.recorder import PATIENCE_S

from connscope.capture.btf.tier import BtfTier
from connscope.config import Config
from connscope.tracker.audit import PATIENT_TRIES, Audit
from connscope.tracker.audit_verdict import Verdict

LARGE_RING = 1 << 25


@contextmanager
def auditing(ring_bytes: int = LARGE_RING) -> Iterator[Audit]:
    """An audit of the whole machine that has begun."""
    with BtfTier(Config(ring_bytes=ring_bytes)) as tier:
        audit = Audit(tier, lambda _: None)
        audit.begin()
        yield audit


def verdicts(audit: Audit, inode: int) -> list[Verdict]:
    """All on that namespace."""
    return [each for each in audit.report().verdicts if each.netns == inode]


def verdict_when(audit: Audit, inode: int, condition: Callable[[Verdict], object]) -> Verdict:
    """The verdict on a namespace once it is so; handshakes and closes end in softirqs."""
    end = time.monotonic() + PATIENCE_S
    while True:
        audit.settle(PATIENT_TRIES)
        found = verdicts(audit, inode)
        if found and condition(found[-1]):
            return found[-1]
        assert time.monotonic() < end, f"not so within {PATIENCE_S} s: {found}"


def numbers(verdict: Verdict) -> dict[str, tuple[int, int]]:
    """What was seen and what was counted; each is one number."""
    assert verdict.counted[0] == verdict.counted[1], verdict
    return {each.rule.name: (each.saw, each.counted_most) for each in verdict.comparisons}
