"""Debian's list of packages is read and the newest whole kernel is chosen."""

from __future__ import annotations

import shutil
import subprocess
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vmtest.packages import Package, choose_kernel, parse_packages, version_key

LISTED = """Package: bash
Version: 5.2
Depends: libc6

Package: linux-image-7.2.13+deb14-amd64
Source: linux
Version: 7.2.13-1
Depends: dracut | initramfs-tools, linux-base-7.2.13+deb14-amd64 (= 7.2.13-1), \
linux-binary-7.2.13+deb14-amd64 (= 7.2.13-1), linux-modules-7.2.13+deb14-amd64 (= 7.2.13-1)
Description: Linux 7.2

Package: linux-image-6.1.0-56-amd64
Version: 6.1.192-2
Depends: kmod, linux-base (>= 4.3~)
"""


def image(release: str, version: str, *depends: str) -> Package:
    """A package with a kernel."""
    return Package(f"linux-image-{release}-amd64", version, depends)


def test_packages_of_the_kernel_are_read():
    """With the kernel's own packages that they need; the last needs no empty line behind it."""
    assert list(parse_packages(LISTED.splitlines(keepends=True))) == [
        Package(
            "linux-image-7.2.13+deb14-amd64",
            "7.2.13-1",
            (
                "linux-base-7.2.13+deb14-amd64",
                "linux-binary-7.2.13+deb14-amd64",
                "linux-modules-7.2.13+deb14-amd64",
            ),
        ),
        Package("linux-image-6.1.0-56-amd64", "6.1.192-2"),
    ]


def test_newest_of_the_series_is_chosen():
    """By number and not by letter, and never of another series."""
    listed = [
        image("6.1.0-9", "6.1.27-1"),
        image("6.1.0-56", "6.1.192-2"),
        image("6.1.0-50", "6.1.176-1"),
        image("6.12.95", "6.12.95-1"),
    ]
    chosen = choose_kernel(listed, "6.1.")
    assert chosen
    assert (chosen.release, chosen.version) == ("6.1.0-56-amd64", "6.1.192-2")


@pytest.mark.parametrize("flavour", ["cloud", "rt"])
def test_flavours_without_9p_are_left_out(flavour: str):
    """Only the plain one boots on the machine's own files."""
    listed = [image("6.1.0-56", "6.1.192-2"), image(f"6.1.0-57-{flavour}", "6.1.200-1")]
    chosen = choose_kernel(listed, "6.1.")
    assert chosen
    assert chosen.release == "6.1.0-56-amd64"


def test_name_of_the_newest_is_no_kernel():
    """A package that only needs another image is empty."""
    alias = image("6.12", "6.12.117-1", "linux-image-6.12.117-amd64")
    assert choose_kernel([alias], "6.12.") is None


def test_kernel_in_parts_needs_them_all():
    """What the archive has lost a part of is passed over; the list of what is built in is none."""
    newest = image(
        "6.19.14", "6.19.14-1", "linux-binary-6.19.14-amd64", "linux-modules-6.19.14-amd64"
    )
    older = image("6.18.15", "6.18.15-1", "linux-base-6.18.15-amd64")
    binary = Package("linux-binary-6.19.14-amd64", "6.19.14-1")
    assert choose_kernel([newest, binary], "6.") is None
    chosen = choose_kernel([newest, binary, older], "6.")
    assert chosen
    assert chosen.packages == ("linux-image-6.18.15-amd64",)


def test_all_parts_are_fetched():
    """Of the version of the image."""
    parts = [
        Package(f"linux-{part}-7.3.4-amd64", "7.3.4-1") for part in ("base", "binary", "modules")
    ]
    whole = image("7.3.4", "7.3.4-1", *(part.name for part in parts))
    other = Package("linux-binary-7.3.4-amd64", "7.3.4-0")
    chosen = choose_kernel([other, *parts, whole], "7.")
    assert chosen
    assert set(chosen.packages) == {whole.name, *(part.name for part in parts)}


def test_versions_sort_as_debian_says():
    """Examples of deb-version(7) and of the archive."""
    rising = [
        "6.1~rc1-1",
        "6.1-1",
        "6.1.9-1",
        "6.1.192-2~bpo12+1",
        "6.1.192-2",
        "6.1.192-2+b1",
        "6.1.192-10",
        "6.12.117-1~deb12u1",
        "6.12.117-1",
        "1:5.0-1",
    ]
    assert all(version_key(low) < version_key(high) for low, high in pairwise(rising))


@pytest.mark.parametrize(("one", "other"), [("0", "0-0"), ("1a", "1a0")])
def test_versions_that_debian_holds_to_be_the_same(one: str, other: str):
    """A number that is not there is 0."""
    assert version_key(one) == version_key(other)


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is what it is compared with")
@settings(max_examples=60, deadline=None)
@given(*[st.from_regex(r"[0-9][a-c0-9.+~]{0,5}(-[a-c0-9.+~]{1,3})?", fullmatch=True)] * 2)
def test_versions_sort_as_dpkg_does(one: str, other: str):
    """Of any two versions."""
    asked = subprocess.run(["dpkg", "--compare-versions", one, "lt", other], check=False)
    assert (version_key(one) < version_key(other)) == (asked.returncode == 0)
