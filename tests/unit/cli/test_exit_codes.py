"""Each kind of error has its exit code."""

from __future__ import annotations

import pytest

from connscope.cli.exit_codes import exit_code
from connscope.errors import (
    ConfigError,
    ConnscopeError,
    FailedError,
    KernelError,
    NotPermittedError,
    NotSupportedError,
    ReportError,
    UsageError,
)
from connscope.filter import FilterError

ERRORS = (
    (ConnscopeError("text"), 1),
    (UsageError("text"), 2),
    (ConfigError("text"), 2),
    (FilterError("text", 0, "reason"), 2),
    (KernelError("feature", "reason"), 1),
    (ReportError("reason"), 1),
    (FailedError("feature", "reason"), 1),
    (NotPermittedError("feature", "reason"), 3),
    (NotSupportedError("feature", "reason"), 4),
)


def everything_below(kind: type[ConnscopeError]) -> set[type[ConnscopeError]]:
    """The kind and all that are derived from it."""
    return {kind}.union(*map(everything_below, kind.__subclasses__()))


@pytest.mark.parametrize(("error", "code"), ERRORS, ids=lambda each: type(each).__name__)
def test_exit_code(error: ConnscopeError, code: int):
    """1 failed, 2 usage, 3 not permitted, 4 not supported."""
    assert exit_code(error) == code


def test_every_kind_of_error_is_thought_of():
    """A new kind of error gets its line here."""
    assert everything_below(ConnscopeError) == {type(error) for error, _ in ERRORS}
