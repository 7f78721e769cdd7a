"""What a feature turned out to be when tried: works, not supported, not permitted, failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from connscope.errors import FailedError, KernelError, NotPermittedError, NotSupportedError

__all__ = ("Outcome", "probe")

WORDS = {
    NotSupportedError: "not supported here",
    NotPermittedError: "not permitted",
    FailedError: "failed",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one feature.

    Attributes:
        feature: its name, in words.
        error: why it does not work; None if it does, or if nobody asked for it.
        unwanted: the setting that says not to try it; empty if it was tried.
    """

    feature: str
    error: KernelError | None = None
    unwanted: str = ""

    @property
    def works(self) -> bool:
        """True if it is there and was wanted."""
        return self.error is None and not self.unwanted

    @property
    def verdict(self) -> str:
        """``works``, ``not supported here``, ``not permitted``, ``failed`` or ``not wanted``."""
        if self.unwanted:
            return "not wanted"
        return WORDS[type(self.error)] if self.error else "works"

    @property
    def reason(self) -> str:
        """Why it does not work, one line; empty if it does."""
        return self.unwanted or (self.error.reason if self.error else "")

    @property
    def log(self) -> str:
        """All that libbpf and the verifier said, if it failed."""
        return self.error.log if isinstance(self.error, FailedError) else ""


def probe(feature: str, attempt: Callable[[], object]) -> Outcome:
    """Tries a feature by using it; a `KernelError` becomes the outcome, anything else is a bug."""
    try:
        attempt()
    except KernelError as error:
        return Outcome(feature, error)
    return Outcome(feature)
