"""The source files of this tree, as they are written and as they are parsed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeGuard

TREE = Path(__file__).parents[2]
PACKAGE = TREE / "src" / "connscope"
GENERATED = PACKAGE / "kernel" / "_libbpf_abi.py"

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> list[Path]:
    """Every module of the package that somebody wrote."""
    return sorted(path for path in PACKAGE.rglob("*.py") if path != GENERATED)


@cache
def parse(path: Path) -> ast.Module:
    """The module's syntax tree."""
    return ast.parse(path.read_text(), path)


def name(path: Path) -> str:
    """The path as people say it."""
    return str(path.relative_to(TREE))


def functions(path: Path) -> Iterator[Function]:
    """Every function of the module, also methods and functions inside functions."""
    yield from (node for node in ast.walk(parse(path)) if isinstance(node, Function))


def lines_of(function: Function) -> int:
    """How many lines the function has, its docstring apart."""
    whole = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return whole
    docstring = function.body[0]
    return whole - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


def public(path: Path) -> Iterator[ast.ClassDef | Function]:
    """The module's public classes and functions, and the public methods of those classes."""
    for node in parse(path).body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from filter(_is_public_method, node.body)


def _is_public_method(member: ast.stmt) -> TypeGuard[Function]:
    return (
        isinstance(member, Function)
        and not member.name.startswith("_")
        and not any(map(_is_setter, member.decorator_list))
    )


def _is_setter(decorator: ast.expr) -> bool:
    """A property is described where it is read, not where it is set."""
    return isinstance(decorator, ast.Attribute) and decorator.attr == "setter"


def imported(path: Path) -> set[str]:
    """The first name of everything that the module imports, wherever in it."""
    found = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found
