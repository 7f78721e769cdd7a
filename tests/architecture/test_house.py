"""The limits of the house: small files, small functions, names that say something."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.sources import (
    PACKAGE,
    TREE,
    Function,
    functions,
    imported,
    lines_of,
    modules,
    name,
    parse,
    public,
)

LINES_OF_A_FILE = 400
LINES_OF_A_FUNCTION = 50
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "core", "manager"}
FOREIGN_INTERFACES = {"cffi", "_cffi_backend", "ctypes"}
LICENSES = {"Dual BSD/GPL": "GPL-2.0 OR BSD-2-Clause", "GPL": "GPL-2.0"}
"""What a program tells the kernel, and how its file says the same."""

SPDX = re.compile(r"/\* SPDX-License-Identifier: (.+) \*/")
LICENSE = re.compile(r'^char LICENSE\[\] SEC\("license"\) = "(.+)";$', re.MULTILINE)


def bpf_files(*endings: str) -> list[Path]:
    """The C files of the product and of the tests, as far as they end so."""
    folders = (TREE / "bpf", TREE / "tests" / "kernel" / "objects")
    return sorted(path for folder in folders for end in endings for path in folder.glob(f"*{end}"))


def test_there_is_something_to_look_at():
    """The other tests of this file do not pass for want of files."""
    assert len(modules()) > 20
    assert len(bpf_files(".bpf.c")) > 3


@pytest.mark.parametrize("path", modules(), ids=name)
def test_file_is_small(path: Path):
    """No file of the package has more than 400 lines."""
    assert len(path.read_text().splitlines()) <= LINES_OF_A_FILE


@pytest.mark.parametrize("path", modules(), ids=name)
def test_functions_are_small(path: Path):
    """No function has more than 50 lines, its docstring apart."""
    long = [each.name for each in functions(path) if lines_of(each) > LINES_OF_A_FUNCTION]
    assert long == []


def test_names_say_something():
    """No module or folder is a drawer for what has no name yet."""
    inside = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*"))
    assert [str(path) for path in inside if path.name.partition(".")[0] in EMPTY_NAMES] == []


@pytest.mark.parametrize("path", modules(), ids=name)
def test_module_says_what_it_is_for(path: Path):
    """Every module opens with a docstring."""
    assert ast.get_docstring(parse(path))


@pytest.mark.parametrize("path", modules(), ids=name)
def test_public_names_are_described(path: Path):
    """Every public class, function and method has a docstring."""
    assert [each.name for each in public(path) if not ast.get_docstring(each)] == []


@pytest.mark.parametrize("path", modules(), ids=name)
def test_imports_stand_at_the_top(path: Path):
    """No function hides an import."""
    hiding = [
        function.name
        for function in functions(path)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert hiding == []


@pytest.mark.parametrize("path", modules(), ids=name)
def test_only_the_kernel_room_calls_c(path: Path):
    """Foreign functions are called in connscope.kernel and nowhere else."""
    in_kernel = path.is_relative_to(PACKAGE / "kernel")
    assert in_kernel or imported(path) & FOREIGN_INTERFACES == set()


@pytest.mark.parametrize("path", bpf_files(".h", ".c"), ids=name)
def test_c_file_names_its_license(path: Path):
    """The first line is the SPDX identifier."""
    first = SPDX.fullmatch(path.read_text().splitlines()[0])
    assert first
    assert first[1] in LICENSES.values()


@pytest.mark.parametrize("path", bpf_files(".bpf.c"), ids=name)
def test_program_tells_the_kernel_its_license(path: Path):
    """The license that the kernel is told agrees with the SPDX line."""
    text = path.read_text()
    assert LICENSES[LICENSE.findall(text)[0]] == SPDX.findall(text)[0]


def test_shared_headers_have_no_function():
    """What user space and kernel share is data: no header but *.bpf.h has code in it."""
    shared = [path for path in bpf_files(".h") if not path.name.endswith(".bpf.h")]
    with_code = [name(path) for path in shared if re.search(r"\)\s*\{", path.read_text())]
    assert with_code == []


def test_length_leaves_the_docstring_out():
    """A function's length is that of what it does."""
    source = 'def f():\n    """One.\n\n    Two.\n    """\n    return 1\n'
    (function,) = ast.parse(source).body
    assert isinstance(function, Function)
    assert lines_of(function) == 2
