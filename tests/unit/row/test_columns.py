"""The row's dtype against the record in C."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, pairwise
from typing import Any

import numpy as np

from connscope.capture.objects import object_path
from connscope.kernel import BpfObject
from connscope.kernel.btf import Field
from connscope.row.columns import COLUMNS, COLUMNS_OF, NO_UID, ROW, lost_row
from connscope.row.words import Kind, Tier

OF_EVERY_ROW = {"kind", "time_ns", "lost", "known", "exact", "tier", "left_state"}


def dtype_fields() -> tuple[Field, ...]:
    """The dtype's columns as BTF would list them."""
    fields: Mapping[str, Any] = ROW.fields or {}
    return tuple(Field(name, fields[name][1], fields[name][0].itemsize) for name in ROW.names or ())


def test_columns_are_the_members_of_the_c_struct():
    """Names, order, offsets and sizes are those of the built object's BTF."""
    with BpfObject(object_path("btf")) as built:
        assert built.btf.struct("connection_row") == dtype_fields()


def test_row_has_no_hidden_padding():
    """Each column begins where the one before ends, and the last ends with the row."""
    fields = dtype_fields()
    ends = [field.offset + field.size for field in fields]
    assert [field.offset for field in fields] == [0, *ends[:-1]]
    assert ends[-1] == ROW.itemsize


def test_columns_are_aligned():
    """Each column that is a number lies where a CPU reads it at once."""
    numbers = [field for field in dtype_fields() if field.size <= 8]
    assert [field.name for field in numbers if field.offset % field.size] == []


def test_row_is_a_multiple_of_eight():
    """The ring buffer pads every record to 8 bytes, so that rows lie at a fixed distance."""
    assert (ROW.itemsize % 8, ROW.itemsize <= 256) == (0, True)


def test_every_column_is_of_one_group_or_of_every_row():
    """No column is in two groups, and only the seven that say what a row is are in none."""
    grouped = list(chain.from_iterable(COLUMNS_OF.values()))
    assert sorted(grouped) == sorted(set(ROW.names or ()) - OF_EVERY_ROW)


def test_big_columns_come_first():
    """Columns are ordered by alignment, which is why there is no padding."""
    alignments = [1 if field.size > 8 else field.size for field in dtype_fields()]
    rising = [pair for pair in pairwise(alignments) if pair[0] < pair[1]]
    assert rising == [(1, 4)]  # after the three 16-byte arrays


def test_every_column_has_a_meaning():
    """The documentation has something to say about each column."""
    assert [column.name for column in COLUMNS if not column.meaning] == []


def test_lost_row_says_how_many_and_when():
    """A lost row is zero but for its kind, count, time, tier and the user that nobody knows."""
    rows = lost_row(7, 123, Tier.BTF)
    wanted = np.zeros(1, ROW)
    wanted["kind"], wanted["lost"], wanted["time_ns"], wanted["tier"] = Kind.LOST, 7, 123, 1
    wanted["uid"] = NO_UID
    assert rows.tobytes() == wanted.tobytes()
