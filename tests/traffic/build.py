"""Builds the C programs of this folder when they are wanted."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

__all__ = ("CompilerMissingError", "built")

SOURCES = Path(__file__).resolve().parent
CACHE = SOURCES.parents[1] / "build" / "traffic"
FLAGS = ("-O2", "-Wall", "-Werror")


class CompilerMissingError(RuntimeError):
    """There is no C compiler here; the message names the packages."""


def built(name: str) -> Path:
    """The program made of ``NAME.c``, compiled now if its source or a header is newer.

    Raises:
        CompilerMissingError: there is no ``cc``.
        subprocess.CalledProcessError: the source does not compile; the compiler has said why.
    """
    source, program = SOURCES / f"{name}.c", CACHE / name
    newest_ns = max(path.stat().st_mtime_ns for path in (source, *SOURCES.glob("*.h")))
    if program.exists() and program.stat().st_mtime_ns > newest_ns:
        return program
    compiler = shutil.which("cc")
    if compiler is None:
        raise CompilerMissingError(
            f"no C compiler to build {source.name}: apt-get install gcc libc6-dev"
        )
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = CACHE / f"{name}.{os.getpid()}"  # two may build at once; the last rename wins
    subprocess.run([compiler, *FLAGS, "-o", fresh, source], check=True)
    fresh.replace(program)
    return program
