"""docs/kernel-library.md, run as it stands."""

from __future__ import annotations

import re
import subprocess
import sys

from connscope.errors import FailedError, NotPermittedError, NotSupportedError, UsageError
from tests.kernel.library.writer import ENVIRONMENT, OBJECTS

PAGE = (OBJECTS.parents[2] / "docs/kernel-library.md").read_text()


def listing(language: str) -> str:
    """The page's first listing in that language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def test_program_in_the_page_is_the_one_that_is_built() -> None:
    """Not a character differs."""
    assert listing("c") == (OBJECTS / "renames.bpf.c").read_text()


def test_script_in_the_page_sees_its_own_rename() -> None:
    """It runs as it stands, next to the built object."""
    said = subprocess.run(
        [sys.executable, "-B", "-c", listing("python")],
        check=True,
        cwd=OBJECTS,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.splitlines()
    assert said == ["python has another name now", "0 lost"]


def test_page_names_every_error_that_can_be_met() -> None:
    """The table of errors is whole."""
    for kind in (FailedError, NotPermittedError, NotSupportedError, UsageError):
        assert f"| `{kind.__name__}` |" in PAGE
