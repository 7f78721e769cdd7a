"""Reads the enums of a C header."""

from __future__ import annotations

import re
from pathlib import Path

ENUM = re.compile(r"^enum (\w+) \{\n(.*?)^\};", re.MULTILINE | re.DOTALL)
ENUMERATOR = re.compile(r"^\s(\w+) = (?:(\d+) << )?(\d+),$", re.MULTILINE)


def read_enums(header: Path) -> dict[str, dict[str, int]]:
    """The enumerators of each enum, by name; values are numbers or shifts of numbers."""
    return {name: _enumerators(body) for name, body in ENUM.findall(header.read_text())}


def _enumerators(body: str) -> dict[str, int]:
    found = {}
    for name, shifted, number in ENUMERATOR.findall(body):
        found[name] = int(shifted) << int(number) if shifted else int(number)
    if len(found) != body.count("="):
        raise ValueError(f"an enumerator that is no number: {body}")
    return found
