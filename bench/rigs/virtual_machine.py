"""Runs a module of this tree on another kernel: Debian's, in a virtual machine that is emulated."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from vmtest.archive import MIRROR, Archive
from vmtest.kernels import kernel_named
from vmtest.machine import TREE, boot, fill_share, take_snapshot

from bench.rigs.findings import found_in

__all__ = ("run_in_guest",)

PROGRAMS = TREE / "build" / "virtme" / "bin"
LIMIT_S = 3600.0
FOUND = "results.jsonl"


def run_in_guest(kernel: str, module: str) -> tuple[str, list[dict[str, Any]]]:
    """Boots, and runs ``python -m MODULE FILE`` there.

    Args:
        kernel: a name of vmtest's list.
        module: tells its findings into the file, see `telling`, at least every five minutes.

    Returns:
        The release of the kernel, and what was found.

    Raises:
        FileNotFoundError: virtme-ng is not installed; the message names what installs it.
        ArchiveError: the kernel can not be had.
        RuntimeError: the guest failed, or was ended.
    """
    os.environ["PATH"] = f"{PROGRAMS}:/usr/sbin:/sbin:{os.environ.get('PATH', '')}"
    vng = shutil.which("vng")
    if vng is None:
        raise FileNotFoundError("no virtme-ng here: make test-kernels installs it")
    cache = Path(os.environ.get("VMTEST_CACHE") or Path.home() / ".cache/connscope/vmtest")
    archive = Archive(cache, os.environ.get("VMTEST_MIRROR", MIRROR))
    installed = archive.install(kernel_named(kernel))
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        take_snapshot(Path(scratch))
        share = Path(scratch) / "share"
        share.mkdir()
        fill_share(share, Path(scratch), {})
        run = ("-m", module, f"/run/share/{FOUND}")
        ended = boot(installed.image, share, "", LIMIT_S, vng, run)
        if ended:
            console = (share / "console").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"the guest was ended: {ended}\n{console}")
        return installed.release, found_in(share / FOUND)
