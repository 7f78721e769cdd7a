"""What a text column says."""

from __future__ import annotations

from connscope.row.text_rows import TextColumn


def column_texts(column: TextColumn, count: int) -> list[str]:
    """The text of each of `count` lines, without what fills it up."""
    lines = [column] * count if isinstance(column, bytes) else [bytes(line) for line in column]
    return [line.replace(b"\0", b"").decode() for line in lines]
