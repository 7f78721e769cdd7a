"""Exit codes, the same for every command."""

from __future__ import annotations

from connscope.errors import ConnscopeError, NotPermittedError, NotSupportedError, UsageError

__all__ = ("FAILED", "FINE", "SIGNALLED", "exit_code")

FINE, FAILED, USAGE, NOT_PERMITTED, NOTHING_TO_CAPTURE_WITH = 0, 1, 2, 3, 4
SIGNALLED = 128
"""Plus the signal's number."""


def exit_code(error: ConnscopeError) -> int:
    """The exit code that tells this error from others."""
    if isinstance(error, UsageError):
        return USAGE
    if isinstance(error, NotPermittedError):
        return NOT_PERMITTED
    return NOTHING_TO_CAPTURE_WITH if isinstance(error, NotSupportedError) else FAILED
