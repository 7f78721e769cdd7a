"""A perf ring's bytes, parsed without a kernel."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.errors import UsageError
from connscope.kernel.perf import RECORD_LOST, RECORD_SAMPLE, parse_samples

RECORD = np.dtype([("number", np.uint64), ("half", np.uint16)])  # 10 bytes: padded to 12
THROTTLE = 5

parts = st.lists(
    st.one_of(
        st.tuples(st.just("sample"), st.integers(0, 2**64 - 1)),
        st.tuples(st.just("lost"), st.integers(0, 2**32)),
        st.tuples(st.just("other"), st.integers(0, 5)),
    ),
    max_size=60,
)


def event(kind: int, body: bytes, misc: int = 0) -> bytes:
    """A record of a perf ring."""
    return struct.pack("<IHH", kind, misc, 8 + len(body)) + body


def sample(number: int) -> bytes:
    """A sample as the kernel pads it; misc tells the context, which differs."""
    raw = struct.pack("<QH", number, 7).ljust(12, b"\0")
    return event(RECORD_SAMPLE, struct.pack("<I", len(raw)) + raw, misc=1 + number % 2)


def lost(count: int) -> bytes:
    """The kernel's note of lost samples."""
    return event(RECORD_LOST, struct.pack("<QQ", 1, count))


def content(parts: list[tuple[str, int]]) -> np.ndarray:
    """A ring's bytes."""
    make = {"sample": sample, "lost": lost, "other": lambda n: event(THROTTLE, bytes(8 * n))}
    return np.frombuffer(b"".join(make[kind](number) for kind, number in parts), np.uint8)


@given(parts)
def test_samples_come_in_order_and_losses_are_summed(parts: list[tuple[str, int]]) -> None:
    """Whatever stands between them, all samples come out, and the lost are counted."""
    samples, missing = parse_samples(content(parts), RECORD)
    assert samples["number"].tolist() == [number for kind, number in parts if kind == "sample"]
    assert set(samples["half"].tolist()) <= {7}
    assert missing == sum(number for kind, number in parts if kind == "lost")


@given(st.integers(1, 100).filter(lambda size: (size + 11) // 8 != 2))
def test_samples_of_another_size_are_refused(size: int) -> None:
    """Sizes are told apart as far as the kernel's padding lets us."""
    with pytest.raises(UsageError, match="samples of 12 bytes"):
        parse_samples(content([("sample", 1)]), np.dtype((np.void, size)))


@pytest.mark.parametrize("size", [0, 4, 12, 7, 0xFFFF])
def test_record_of_impossible_size_is_refused(size: int) -> None:
    """A size that would not move on, not to a multiple of 8, or behind the end."""
    with pytest.raises(UsageError, match="no perf record"):
        parse_samples(np.frombuffer(struct.pack("<IHHQ", 3, 0, size, 0), np.uint8), RECORD)


@given(st.binary(max_size=300))
def test_garbage_is_refused_or_skipped(garbage: bytes) -> None:
    """Any bytes end in samples or in a UsageError, never in anything else."""
    try:
        parse_samples(np.frombuffer(garbage, np.uint8), RECORD)
    except UsageError:
        return


@given(parts, st.integers(0, 10_000), st.integers(0, 255))
def test_one_wrong_byte_is_survived(parts: list[tuple[str, int]], at: int, value: int) -> None:
    """A damaged ring is refused or read on, and the count of samples stays within what fits."""
    damaged = content(parts).copy()
    if len(damaged):
        damaged[at % len(damaged)] = value
    try:
        samples, _ = parse_samples(damaged, RECORD)
    except UsageError:
        return
    assert len(samples) <= len(damaged) // 24
