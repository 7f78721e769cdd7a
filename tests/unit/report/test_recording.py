"""Recordings: what was written is read, and what is none is refused."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.errors import ReportError
from connscope.report.recording import MAGIC, read_reports, write_report

REPORTS = st.lists(st.binary(max_size=40), min_size=1, max_size=5)


def recorded(reports: list[bytes]) -> bytes:
    """A recording of them."""
    file = io.BytesIO()
    for report in reports:
        write_report(file, report)
    return file.getvalue()


@given(REPORTS)
def test_all_come_back_in_order(reports):
    """As they were."""
    assert list(read_reports(io.BytesIO(recorded(reports)))) == reports


@given(REPORTS, st.data())
def test_one_that_was_cut_off_is_left_out(reports, data):
    """Those before it are there: the recorder may have been killed."""
    whole = recorded(reports)
    start = len(recorded([b""])) - 8
    cut = data.draw(st.integers(start, len(whole)))
    found = list(read_reports(io.BytesIO(whole[:cut])))
    assert found == reports[: len(found)]
    assert len(recorded(found or [b""])) <= max(cut, start + 8)


@given(st.binary(max_size=200).filter(lambda content: not content.startswith(MAGIC)))
def test_anything_else_is_refused(content):
    """With what makes a recording."""
    with pytest.raises(ReportError, match="--record"):
        list(read_reports(io.BytesIO(content)))


@given(REPORTS, st.integers(0, 400), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_read(reports, place, change):
    """No other error, and no more memory than the file is long."""
    content = bytearray(recorded(reports))
    content[place % len(content)] ^= change
    with contextlib.suppress(ReportError):
        assert sum(map(len, read_reports(io.BytesIO(bytes(content))))) <= len(content)


def test_a_length_that_can_not_be_is_refused():
    """Before anybody reserves memory for it."""
    with pytest.raises(ReportError, match="damaged"):
        list(read_reports(io.BytesIO(recorded([b""])[:-8] + b"\xff" * 8)))
