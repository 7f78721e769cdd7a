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
    UsageError,
)

CODES = {
    ConnscopeError: 1,
    UsageError: 2,
    ConfigError: 2,
    KernelError: 1,
    FailedError: 1,
    NotPermittedError: 3,
    NotSupportedError: 4,
}


def everything_below(kind: type[ConnscopeError]) -> set[type[ConnscopeError]]:
    """The kind and all that are derived from it."""
    return {kind}.union(*map(everything_below, kind.__subclasses__()))


@pytest.mark.parametrize("kind", CODES)
def test_exit_code(kind: type[ConnscopeError]):
    """1 failed, 2 usage, 3 not permitted, 4 not supported."""
    error = kind("feature", "reason") if issubclass(kind, KernelError) else kind("text")
    assert exit_code(error) == CODES[kind]


def test_every_kind_of_error_is_thought_of():
    """A new kind of error gets its line here."""
    assert everything_below(ConnscopeError) == set(CODES)
