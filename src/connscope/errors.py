"""Every error that connscope raises on purpose.

ConnscopeError
├── UsageError            the caller asked for something that makes no sense
│   └── ConfigError       a key or value of the configuration, named
├── ReportError           what should be a report can not be read, or does not belong here
└── KernelError           the kernel did not do what was asked
    ├── NotSupportedError     it can not: a feature is missing here
    ├── NotPermittedError     it may not: a capability or lockdown, named
    └── FailedError           it tried and failed; the errno, the verifier's log

The first two kinds of KernelError choose the next way to capture, the third is shown. Only the
command line turns them into exit codes.
"""

from __future__ import annotations

__all__ = (
    "ConfigError",
    "ConnscopeError",
    "FailedError",
    "KernelError",
    "NotPermittedError",
    "NotSupportedError",
    "ReportError",
    "UsageError",
)


class ConnscopeError(Exception):
    """Base of all errors of this package."""


class UsageError(ConnscopeError):
    """The caller asked for something that makes no sense; the message says what would."""


class ConfigError(UsageError):
    """A key of the configuration is unknown or its value is wrong; the message names both."""


class ReportError(ConnscopeError):
    """What should be a report can not be read, or does not belong here; the message says why."""


class KernelError(ConnscopeError):
    """The kernel did not do what was asked.

    Attributes:
        feature: what was asked for, in words.
        reason: why it did not happen, one line.
    """

    def __init__(self, feature: str, reason: str) -> None:
        super().__init__(f"{feature}: {reason}")
        self.feature = feature
        self.reason = reason


class NotSupportedError(KernelError):
    """This kernel or machine lacks the feature."""


class NotPermittedError(KernelError):
    """The feature exists, but this process may not use it.

    Attributes:
        missing: names of the capabilities that would help, e.g. ``("CAP_BPF",)``; empty if it is
            not a matter of capabilities.
    """

    def __init__(self, feature: str, reason: str, missing: tuple[str, ...] = ()) -> None:
        super().__init__(feature, reason)
        self.missing = missing


class FailedError(KernelError):
    """The kernel tried and failed.

    Attributes:
        errno: the error number, positive; 0 if there is none.
        log: everything that libbpf and the verifier said, for whoever wants to read it.
    """

    def __init__(self, feature: str, reason: str, errno: int = 0, log: str = "") -> None:
        super().__init__(feature, reason)
        self.errno = errno
        self.log = log
