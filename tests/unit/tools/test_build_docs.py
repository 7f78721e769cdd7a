"""The generated pages are what the code says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tools.build_docs import json_key, pages, stale_pages

from connscope.config import keys
from connscope.row.columns import ROW
from connscope.row.json_lines import json_lines
from connscope.row.words import Kind, State
from tests.unit.sample_rows import NAMES, one_row

TREE = Path(__file__).parents[3]


def test_pages_are_up_to_date():
    """docs/ has the pages as they are generated now; else run: python tools/build_docs.py."""
    assert stale_pages(TREE / "docs") == []


def test_check_of_this_tree_is_quiet():
    """The command that CI runs says nothing and succeeds."""
    command = [sys.executable, str(TREE / "tools" / "build_docs.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_missing_and_changed_pages_are_stale(tmp_path: Path):
    """A page that is not there or differs by a letter is named."""
    (tmp_path / "row.md").write_text(pages()["row.md"] + " ")
    assert stale_pages(tmp_path) == ["configuration.md", "row.md", "tiers.md"]


def test_every_key_is_on_the_page():
    """The page has each key, its default and its variable."""
    page = pages()["configuration.md"]
    missing = [key.name for key in keys() if f"## {key.name}" not in page]
    assert missing + [key.name for key in keys() if f"`{key.environment}`" not in page] == []


def test_every_column_is_on_the_page():
    """The table has a line for each column, in the order of the record."""
    lines = [line for line in pages()["row.md"].splitlines() if line.startswith("| `")]
    assert tuple(line.split("`")[1] for line in lines[: len(NAMES)]) == ROW.names


def test_keys_of_json_are_those_of_the_page():
    """A row that has something in every column is an object with every key, and no other."""
    rows = one_row(**{name: 1 for name in NAMES if ROW[name].kind == "u" and not ROW[name].shape})
    rows["known"], rows["kind"], rows["state"] = 127, Kind.LISTENING, State.LISTEN
    assert json.loads(json_lines(rows, 0)).keys() == {key for key in map(json_key, NAMES) if key}
