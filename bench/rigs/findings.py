"""What a guest has found: a line of JSON for each finding, the last one says how it ended."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ("Tell", "found_in", "telling")

Tell = Callable[..., None]
"""Takes what was found, in a word, and its values."""

END, FAILED = "end", "failed"


@contextmanager
def telling(path: Path) -> Iterator[Tell]:
    """Gives what appends findings to a file; an error is the last of them."""
    with path.open("a", buffering=1) as file:

        def tell(what: str, **values: Any) -> None:
            file.write(json.dumps({"what": what, **values}) + "\n")

        try:
            yield tell
        except BaseException:
            tell(FAILED, error=traceback.format_exc())
            raise
        tell(END)


def found_in(path: Path) -> list[dict[str, Any]]:
    """All findings.

    Raises:
        RuntimeError: they do not go on to the end; it says what the last one was.
    """
    found = [json.loads(line) for line in path.read_text().splitlines()]
    last = found.pop() if found else {"what": "nothing"}
    if last["what"] == FAILED:
        raise RuntimeError(f"the guest failed:\n{last['error']}")
    if last["what"] != END:
        raise RuntimeError(f"the guest was cut short after {last}")
    return found
