"""Text that comes from outside (process names, arguments, DNS names), made safe to show."""

from __future__ import annotations

from functools import lru_cache

__all__ = ("printable",)


@lru_cache(65536)
def printable(raw: bytes) -> str:
    r"""The text of bytes up to the first NUL, with nothing in it that could move a cursor.

    Bytes that are not UTF-8, and characters that are not printable (control, bidirectional and
    other format characters), come out as ``\xNN`` for each of their bytes.
    """
    text = raw.partition(b"\0")[0].decode(errors="backslashreplace")
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else _escape(character) for character in text
    )


def _escape(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode())
