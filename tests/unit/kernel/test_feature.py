"""How a try becomes a value."""

from __future__ import annotations

import pytest

from connscope.errors import (
    FailedError,
    KernelError,
    NotPermittedError,
    NotSupportedError,
    UsageError,
)
from connscope.kernel.feature import Outcome, Verdict, probe


def raising(error: Exception) -> None:
    """Fails."""
    raise error


@pytest.mark.parametrize(
    ("error", "verdict", "missing", "log"),
    [
        (NotSupportedError("x", "too old"), Verdict.NOT_SUPPORTED, (), ""),
        (
            NotPermittedError("x", "too weak", ("CAP_BPF",)),
            Verdict.NOT_PERMITTED,
            ("CAP_BPF",),
            "",
        ),
        (FailedError("x", "bad", 22, "the log"), Verdict.FAILED, (), "the log"),
        (KernelError("x", "odd"), Verdict.FAILED, (), ""),
    ],
)
def test_kernel_error_becomes_the_outcome(
    error: KernelError, verdict: Verdict, missing: tuple[str, ...], log: str
) -> None:
    """Each kind of error has its verdict and keeps its reason and what belongs to it."""
    outcome = probe("thing", lambda: raising(error))
    assert not outcome.works
    assert (outcome.feature, outcome.verdict, outcome.reason, outcome.missing, outcome.log) == (
        "thing", verdict, error.reason, missing, log,
    )  # fmt: skip


def test_what_works_says_so() -> None:
    """No reason is needed."""
    outcome = probe("thing", lambda: None)
    assert (outcome.works, str(outcome)) == (True, "thing: works")


def test_outcome_reads_as_a_line_without_the_log() -> None:
    """The log is for whoever asks."""
    outcome = Outcome("thing", FailedError("x", "bad", 22, "long"))
    assert str(outcome) == "thing: failed: bad"


def test_what_nobody_asked_for_was_not_tried() -> None:
    """The reason is the setting that says so."""
    outcome = Outcome("thing", unwanted="thing = no")
    assert (outcome.works, outcome.verdict) == (False, Verdict.NOT_WANTED)
    assert outcome.reason == "thing = no"


def test_fault_of_the_program_passes_through() -> None:
    """Only what the kernel says is an outcome."""
    with pytest.raises(UsageError):
        probe("thing", lambda: raising(UsageError("typing error")))
