"""Errors that say nothing of what was asked for: there was no descriptor, or no memory, left."""

from __future__ import annotations

import errno

__all__ = ("is_exhausted",)

EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def is_exhausted(error: OSError) -> bool:
    """Whether it may be there, and could not be opened or read now."""
    return error.errno in EXHAUSTED
