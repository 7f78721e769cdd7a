"""What is wrong with a filter, and where."""

from __future__ import annotations

from connscope.errors import UsageError

__all__ = ("FilterError",)

SHOWN_BEFORE, SHOWN_AFTER = 50, 25


class FilterError(UsageError):
    """The text is no filter; the message has a caret under the offending character.

    Attributes:
        text: the whole filter.
        position: index of the offending character; the length of the text if something is missing
            at its end.
        reason: what is wrong and what would be right, one line.
    """

    def __init__(self, text: str, position: int, reason: str) -> None:
        super().__init__(f"{reason}\n{_pointed_out(text, position)}")
        self.text = text
        self.position = position
        self.reason = reason


def _pointed_out(text: str, position: int) -> str:
    """The surroundings of the place, and a line with a caret below it."""
    start = max(0, position - SHOWN_BEFORE)
    shown = text[start : position + SHOWN_AFTER]
    # One column for each character, whatever somebody pasted.
    plain = "".join(character if character.isprintable() else "?" for character in shown)
    return f"  {plain}\n  {'^':>{position - start + 1}}"
