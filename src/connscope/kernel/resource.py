"""What holds something of the kernel's until it is closed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

__all__ = ("Resource",)


class Resource(ABC):
    """Closed by `close`, or by the end of its ``with`` block."""

    @abstractmethod
    def close(self) -> None:
        """Gives everything back; a second call does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
