"""Kernels that are known to crash with programs like ours: refused by name, never tried.

Everything else is found out by trying. This is for what one can not try.
"""

from __future__ import annotations

import os
import re

from connscope.errors import NotSupportedError

__all__ = ("is_tracer_supported_by_os", "refuse_excluded_kernel")

UBUNTU_CRASHES = range(119, 127)
"""ABI numbers of Ubuntu's 4.4.0: https://bugs.launchpad.net/bugs/1763454, kernel panic."""

UBUNTU_RELEASE = re.compile(r"4\.4\.(?:0-)?(\d+)(?:\D|$)")


def is_tracer_supported_by_os(
    excluded: str, release: str | None = None, build: str | None = None
) -> tuple[bool, str]:
    """Whether BPF programs may be loaded on a kernel.

    Args:
        excluded: releases, or the numbers that they begin with, with commas between them.
        release: as ``uname -r`` says it; None: of the running kernel.
        build: as ``uname -v`` says it; the same.

    Returns:
        True and no text, or False and why not.
    """
    release = os.uname().release if release is None else release
    build = os.uname().version if build is None else build
    for name in filter(None, (part.strip() for part in excluded.split(","))):
        # 5.4.2 is the beginning of 5.4.2-generic, not of 5.4.228.
        if release == name or re.match(re.escape(name) + r"(?!\d)", release):
            return False, f"kernel {release} is excluded by excluded_kernels ({name})"
    crashing = UBUNTU_RELEASE.match(release) if "Ubuntu" in build else None
    if crashing and int(crashing[1]) in UBUNTU_CRASHES:
        return False, f"Ubuntu's kernel {release} crashes with BPF programs (Launchpad 1763454)"
    return True, ""


def refuse_excluded_kernel(excluded: str) -> None:
    """Does nothing, unless the running kernel is excluded.

    Raises:
        NotSupportedError: it is; the message says why.
    """
    supported, reason = is_tracer_supported_by_os(excluded)
    if not supported:
        raise NotSupportedError("BPF", reason)
