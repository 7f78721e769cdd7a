"""Debian's list of packages: what is in it, and which of them make the newest kernel."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ("Choice", "Package", "choose_kernel", "parse_packages", "version_key")

IMAGE = re.compile(r"linux-image-(?P<release>\d\S*-amd64)")
FLAVOURS = re.compile(r"-(cloud|rt|unsigned|dbg)\b")
KERNEL_PART = re.compile(r"linux-(?:binary|modules|base|image)-\d\S*-amd64")
OPTIONAL_PART = "linux-base-"
"""Only lists of what is built in: modules load without."""

WANTED = ("Package", "Version", "Depends")
CHUNKS = re.compile(r"(\D*)(\d*)")
NOTHING = [(0,), 0]
"""What no text and no number count as: a part that is not there is as good as ``0``."""


@dataclass(frozen=True, slots=True)
class Package:
    """One stanza of the list.

    Attributes:
        name: of the package.
        version: as Debian writes it.
        depends: the names of the kernel's own packages that it needs.
    """

    name: str
    version: str
    depends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """A kernel that can be had.

    Attributes:
        release: what ``uname -r`` will say.
        version: of the packages.
        packages: their names.
    """

    release: str
    version: str
    packages: tuple[str, ...]


def parse_packages(lines: Iterable[str]) -> Iterator[Package]:
    """Those of the kernel, out of a file ``Packages``."""
    stanza: dict[str, str] = {}
    for line in lines:
        if line == "\n":
            yield from _package_of(stanza)
            stanza = {}
        elif line.startswith(WANTED):
            name, _, value = line.partition(":")
            stanza[name] = value.strip()
    yield from _package_of(stanza)


def _package_of(stanza: dict[str, str]) -> Iterator[Package]:
    name = stanza.get("Package", "")
    if KERNEL_PART.fullmatch(name):
        depends = KERNEL_PART.findall(stanza.get("Depends", ""))
        yield Package(name, stanza["Version"], tuple(dict.fromkeys(depends)))


def choose_kernel(packages: Iterable[Package], series: str) -> Choice | None:
    """The newest kernel of which all parts are there; None if there is none.

    Args:
        packages: of all suites.
        series: how its version has to begin.
    """
    found = {(package.name, package.version): package for package in packages}
    images = [each for each in found.values() if _is_image(each) and _is_of(each, series)]
    for image in sorted(images, key=lambda each: version_key(each.version), reverse=True):
        parts = _parts_of(image, found)
        if parts:
            return Choice(image.name.removeprefix("linux-image-"), image.version, parts)
    return None


def _is_image(package: Package) -> bool:
    """A package with a kernel, not one that only names the newest."""
    is_alias = any(each.startswith("linux-image-") for each in package.depends)
    return (
        bool(IMAGE.fullmatch(package.name)) and not is_alias and not FLAVOURS.search(package.name)
    )


def _is_of(package: Package, series: str) -> bool:
    return package.version.startswith(series)


def _parts_of(image: Package, found: dict[tuple[str, str], Package]) -> tuple[str, ...]:
    """The names of what has to be fetched; none if something of it is gone from the archive."""
    parts = [image.name]
    for name in image.depends:
        if (name, image.version) in found:
            parts.append(name)
        elif not name.startswith(OPTIONAL_PART):
            return ()
    return tuple(parts)


def version_key(version: str) -> tuple[object, ...]:
    """What sorts versions as deb-version(7) does: ``~`` comes before the end of a part, letters
    before all other signs, numbers by their value."""
    epoch, colon, rest = version.rpartition(":")
    upstream, _, revision = rest.rpartition("-")
    if not upstream:
        upstream, revision = revision, ""
    return int(epoch) if colon else 0, _part_key(upstream), _part_key(revision)


def _part_key(part: str) -> tuple[object, ...]:
    key: list[object] = []
    for text, number in CHUNKS.findall(part):
        key += [(*tuple(map(_sign_order, text)), 0), int(number or 0)]
    while key[-2:] == NOTHING:
        del key[-2:]
    return (*key, *NOTHING, *NOTHING)


def _sign_order(sign: str) -> int:
    """The end of a text counts as 0."""
    if sign == "~":
        return -1
    return ord(sign) if sign.isalpha() else ord(sign) + 256
