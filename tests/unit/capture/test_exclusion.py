"""Kernels that are never tried."""

from __future__ import annotations

import os

import pytest

from connscope.capture.exclusion import is_tracer_supported_by_os, refuse_excluded_kernel
from connscope.errors import NotSupportedError

UBUNTU = "#143-Ubuntu SMP Mon Apr 2 16:08:24 UTC 2018"
DEBIAN = "#1 SMP Debian 4.4.119-1"


@pytest.mark.parametrize(
    ("release", "build", "supported"),
    [
        ("4.4.0-118-generic", UBUNTU, True),
        ("4.4.0-119-generic", UBUNTU, False),
        ("4.4.0-126-generic", UBUNTU, False),
        ("4.4.119", UBUNTU, False),
        ("4.4.0-127-generic", UBUNTU, True),
        ("4.4.0-1190-generic", UBUNTU, True),
        ("4.4.0-119-generic", DEBIAN, True),
        ("4.15.0-119-generic", UBUNTU, True),
        ("4.4", UBUNTU, True),
        ("", "", True),
        ("not a release", "Ubuntu", True),
    ],
)
def test_ubuntus_crashing_kernels(release: str, build: str, supported: bool) -> None:
    """Those eight and no others."""
    assert is_tracer_supported_by_os("", release, build)[0] == supported


@pytest.mark.parametrize(
    ("excluded", "supported"),
    [
        ("5.4.228", False),
        ("5.4.228-1-amd64", False),
        ("4.1, 5.4.228 ,", False),
        ("5.4.22", True),
        ("5.4.2280", True),
        (",", True),
    ],
)
def test_excluded_releases(excluded: str, supported: bool) -> None:
    """A release, or the whole numbers that it begins with; the reason names both."""
    answer, reason = is_tracer_supported_by_os(excluded, "5.4.228-1-amd64", DEBIAN)
    assert answer == supported
    assert supported or "5.4.228-1-amd64 is excluded by excluded_kernels (5.4.228" in reason


def test_running_kernel_is_refused_by_name() -> None:
    """Nothing is loaded then."""
    refuse_excluded_kernel("")
    with pytest.raises(NotSupportedError, match="excluded_kernels"):
        refuse_excluded_kernel(os.uname().release)
