"""Makes one kind of known traffic and prints what it did: ``python -m tests.traffic KIND``."""

from __future__ import annotations

import sys

from tests.traffic import (
    calls,
    crowds,
    datagrams,
    endings,
    homes,
    openings,
    subflows,
    translations,
    trouble,
)
from tests.traffic.kinds import KINDS

__all__ = ("MODULES",)

MODULES = (calls, endings, openings, subflows, crowds, datagrams, homes, translations, trouble)
"""Whoever imports these has all kinds in `KINDS`."""


def listing() -> str:
    """The kinds, one a line, with their options."""
    width = max(map(len, KINDS))
    lines = []
    for kind in KINDS.values():
        options = "".join(f" {name}={value}" for name, value in kind.options.items())
        lines.append(f"  {kind.name:{width}}  {kind.meaning}{options and f' [{options[1:]}]'}")
    return "\n".join(lines)


def main(words: list[str]) -> int:
    """Runs ``KIND [OPTION=NUMBER]…``; returns the exit code."""
    if not words or words[0] not in KINDS:
        print(f"usage: python -m tests.traffic KIND [OPTION=NUMBER]...\n{listing()}")  # noqa: T201 -- a command line prints
        return 2
    kind = KINDS[words[0]]
    options = {}
    for each in words[1:]:
        name, _, value = each.partition("=")
        if name not in kind.options or not value.isdecimal():
            print(f"{kind.name} has the options {kind.options}, not {each}", file=sys.stderr)  # noqa: T201 -- the same
            return 2
        options[name] = int(value)
    print(kind.run(**options).to_json())  # noqa: T201 -- the same
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
