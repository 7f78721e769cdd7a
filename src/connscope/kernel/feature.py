"""Trying a feature of the kernel, and what came of it as a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from connscope.errors import FailedError, KernelError, NotPermittedError, NotSupportedError

__all__ = ("Outcome", "Verdict", "probe")


class Verdict(StrEnum):
    """How a try ended, in words."""

    WORKS = "works"
    NOT_SUPPORTED = "not supported here"
    NOT_PERMITTED = "not permitted"
    FAILED = "failed"
    NOT_WANTED = "not wanted"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of trying a feature.

    Attributes:
        feature: what was tried, in words.
        error: why it does not work; None if it does, or if nobody asked for it.
        unwanted: the setting that says not to try it; empty if it was tried.
    """

    feature: str
    error: KernelError | None = None
    unwanted: str = ""

    @property
    def works(self) -> bool:
        """Whether the feature can be used."""
        return self.verdict is Verdict.WORKS

    @property
    def verdict(self) -> Verdict:
        """How it ended."""
        if self.unwanted:
            return Verdict.NOT_WANTED
        if self.error is None:
            return Verdict.WORKS
        if isinstance(self.error, NotSupportedError):
            return Verdict.NOT_SUPPORTED
        permitted = not isinstance(self.error, NotPermittedError)
        return Verdict.FAILED if permitted else Verdict.NOT_PERMITTED

    @property
    def reason(self) -> str:
        """Why it does not work, one line; empty if it does."""
        return self.unwanted or (self.error.reason if self.error else "")

    @property
    def missing(self) -> tuple[str, ...]:
        """Capabilities that would help."""
        return self.error.missing if isinstance(self.error, NotPermittedError) else ()

    @property
    def log(self) -> str:
        """All that libbpf and the verifier said, if it failed."""
        return self.error.log if isinstance(self.error, FailedError) else ""

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.feature, self.verdict.value, self.reason)))


def probe(feature: str, attempt: Callable[[], object]) -> Outcome:
    """Tries a feature.

    Args:
        feature: its name, in words.
        attempt: uses the feature and cleans up behind itself. Errors other than `KernelError` are
            faults of the program and pass through.
    """
    try:
        attempt()
    except KernelError as error:
        return Outcome(feature, error)
    return Outcome(feature)
