from __future__ import annotations

import contextlib
import tracemalloc

import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
from hypothesis import given, settings
from hypothesis import strategies as st

from connscope.errors import ReportError
from connscope.report.decode import Limits, decode
from connscope.report.encode import encode, streams
from connscope.report.layout import preamble
from connscope.report.report import make_report
from connscope.report.validity import check
from tests.unit.report.hostile import sealed
from tests.unit.report.reports import A_NAME, a_look, table_of

MIB = 1 << 20
LIMITS = Limits(encoded_bytes=MIB, decoded_bytes=MIB, rows=1000, names=100)
MOST_MEMORY = 16 * MIB

REPORT = make_report(
    a_look(),
    4,
    3,
    table_of(dict.fromkeys(range(1, 40), 5), pid=7),
    table_of({99: 0}),
    names=[A_NAME],
)
PLAIN = b"".join(streams(REPORT))
WHOLE = encode(REPORT)
FLIPS = st.lists(
    st.tuples(st.integers(0, len(PLAIN) * 8 - 1), st.integers(1, 255)), min_size=1, max_size=6
)


def report_or_refused(encoded: bytes) -> None:
    """Reads; only ReportError is let by, and what is read is valid."""
    tracemalloc.start()
    with contextlib.suppress(ReportError):
        check(decode(encoded, LIMITS))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most + pa.default_memory_pool().max_memory() < MOST_MEMORY


def flipped(content: bytes, flips: list[tuple[int, int]]) -> bytes:
    """The bytes with some of them changed."""
    changed = bytearray(content)
    for place, change in flips:
        changed[place % len(changed)] ^= change
    return bytes(changed)


@given(FLIPS)
def test_changed_bytes(flips):
    """Of what was sent."""
    report_or_refused(flipped(WHOLE, flips))


@settings(max_examples=500)
@given(FLIPS)
def test_changed_bytes_of_arrow(flips):
    """Below the checksum: lengths, offsets, types and values."""
    report_or_refused(sealed([flipped(PLAIN, flips)]))


@given(st.integers(0, len(PLAIN)))
def test_cut_off_arrow(length):
    """At any byte."""
    report_or_refused(sealed([PLAIN[:length]]))


@given(st.integers(0, len(WHOLE)))
def test_cut_off(length):
    """At any byte of what was sent."""
    report_or_refused(WHOLE[:length])


@given(st.binary(max_size=200), st.booleans())
def test_random_bytes(content, is_sealed):
    """With and without a frame of zstd around them."""
    report_or_refused(sealed([content]) if is_sealed else preamble() + content)


@given(st.integers(0, len(PLAIN) - 8), st.sampled_from((2**31 - 1, 2**62, 2**63, 2**64 - 1)))
@settings(max_examples=200)
def test_huge_numbers(place, number):
    """Wherever a length may stand."""
    place -= place % 8
    huge = PLAIN[:place] + number.to_bytes(8, "little") + PLAIN[place + 8 :]
    report_or_refused(sealed([huge]))
