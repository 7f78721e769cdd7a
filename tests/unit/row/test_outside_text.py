"""Nothing that comes from outside can move a cursor."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.row.outside_text import printable

BIDIRECTIONAL = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
RUSSIAN_A = "а".encode()


@given(st.binary() | st.text().map(str.encode))
def test_result_is_printable(raw: bytes):
    """Whatever the bytes, the text has no character that is not printable."""
    assert printable(raw).isprintable()


@given(st.binary() | st.text().map(str.encode))
def test_result_has_no_control_character(raw: bytes):
    """No control, format, separator or surrogate character but the space."""
    categories = {unicodedata.category(character) for character in printable(raw)}
    assert categories & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} == set()


@pytest.mark.parametrize("character", BIDIRECTIONAL)
def test_bidirectional_characters_are_escaped(character: str):
    """What turns the direction of text comes out as its bytes."""
    escaped = "".join(f"\\x{byte:02x}" for byte in character.encode())
    assert printable(f"a{character}b".encode()) == f"a{escaped}b"


@given(st.text().filter(str.isprintable))
def test_printable_text_stays(text: str):
    """What is printable already is not changed, so doing it twice is doing it once."""
    assert printable(text.encode()) == text


@given(st.binary().filter(lambda raw: b"\0" not in raw))
def test_twice_is_once(raw: bytes):
    """The result, taken as outside text again, stays as it is."""
    assert printable(printable(raw).encode()) == printable(raw)


@given(st.binary(), st.binary())
def test_text_ends_at_nul(raw: bytes, rest: bytes):
    """What the kernel left behind the first NUL is not shown."""
    assert printable(raw + b"\0" + rest) == printable(raw)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"Web Content", "Web Content"),
        (b"kworker/0:1H-[x]", "kworker/0:1H-[x]"),
        (b"(sd-pam)", "(sd-pam)"),
        (b"\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        (b"\x1b]0;title\x07", r"\x1b]0;title\x07"),
        (b"a\nb\tc\rd", r"a\x0ab\x09c\x0dd"),
        (b"\x9b31m", r"\x9b31m"),
        ("\x9b31m".encode(), r"\xc2\x9b31m"),
        (b"\xff\xfe", r"\xff\xfe"),
        (RUSSIAN_A * 7 + RUSSIAN_A[:1], "ааааааа" + r"\xd0"),
        ("日本".encode(), "日本"),
        (b"", ""),
        (b"\x7f", r"\x7f"),
    ],
)
def test_names_of_processes(raw: bytes, text: str):
    """Spaces and brackets stay; escape codes and bytes that are not UTF-8 show as bytes."""
    assert printable(raw) == text
