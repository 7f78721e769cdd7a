"""Kernels of Debian's archive, fetched and unpacked once. apt fetches, so that its mirror, its
proxy and its check of signatures and hashes are those of the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from vmtest.kernels import Kernel
from vmtest.packages import Choice, Package, choose_kernel, parse_packages

__all__ = ("Archive", "ArchiveError", "Installed")

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
MIRROR = "http://deb.debian.org"


class ArchiveError(RuntimeError):
    """A kernel can not be had; the message says why."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A kernel on this disk.

    Attributes:
        release: what ``uname -r`` will say.
        image: the file that is booted; its modules are found beside it.
    """

    release: str
    image: Path


class Archive:
    """Debian's archive, of one mirror.

    Args:
        cache: where everything is kept; nothing else is written.
        mirror: e.g. ``http://deb.debian.org``.
    """

    def __init__(self, cache: Path, mirror: str = MIRROR) -> None:
        self._cache, self._mirror = cache, mirror

    def install(self, kernel: Kernel) -> Installed:
        """The newest of its series, unpacked.

        Raises:
            ArchiveError: it can not be had.
        """
        chosen = self._choose(kernel)
        root = self._cache / "kernels" / f"{kernel.name}_{chosen.version}"
        if not root.exists():
            self._unpack(kernel, chosen, root)
        images = [*root.glob("boot/vmlinuz-*"), *root.glob("usr/lib/modules/*/vmlinuz")]
        if len(images) != 1:
            raise ArchiveError(f"no kernel in {root}; remove it and try again")
        return Installed(chosen.release, images[0])

    def _choose(self, kernel: Kernel) -> Choice:
        self._apt(kernel, "update")
        targets = self._apt(
            kernel, "indextargets", "--format", "$(FILENAME)", "Created-By: Packages"
        )
        packages = list[Package]()
        for path in targets.split():
            text = self._run(kernel, "/usr/lib/apt/apt-helper", "cat-file", path)
            packages += parse_packages(text.splitlines(keepends=True))
        chosen = choose_kernel(packages, kernel.series)
        if not chosen:
            raise ArchiveError(f"no whole kernel {kernel.series}x in {', '.join(kernel.suites)}")
        return chosen

    def _unpack(self, kernel: Kernel, chosen: Choice, root: Path) -> None:
        root.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root.parent) as scratch:
            names = [f"{name}={chosen.version}" for name in chosen.packages]
            self._apt(kernel, "download", *names, where=Path(scratch))
            fresh = Path(scratch) / "root"
            for package in sorted(Path(scratch).glob("*.deb")):
                self._run(kernel, "dpkg-deb", "-x", str(package), str(fresh))
            shutil.move(fresh, root)

    def _apt(self, kernel: Kernel, *arguments: str, where: Path | None = None) -> str:
        return self._run(kernel, "apt-get", "-q", *arguments, where=where)

    def _run(self, kernel: Kernel, *command: str, where: Path | None = None) -> str:
        environment = os.environ | {"APT_CONFIG": str(self._configure(kernel))}
        try:
            done = subprocess.run(  # noqa: S603  # programs that are named here
                command, check=False, capture_output=True, text=True, env=environment, cwd=where
            )
        except FileNotFoundError as error:
            raise ArchiveError(f"there is no {command[0]} here") from error
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
            raise ArchiveError(f"{command[0]} {command[1]}: {said[-1]}")
        return done.stdout

    def _configure(self, kernel: Kernel) -> Path:
        """Lists and caches of its own, for each kernel: the machine's are left alone."""
        place = self._cache / "apt" / kernel.name
        (place / "lists/partial").mkdir(parents=True, exist_ok=True)
        (place / "cache/archives/partial").mkdir(parents=True, exist_ok=True)
        sources = [
            f"deb [arch=amd64 signed-by={KEYRING}] {self._mirror}/"
            f"{'debian-security' if suite.endswith('-security') else 'debian'} {suite} main\n"
            for suite in kernel.suites
        ]
        (place / "sources.list").write_text("".join(sources))
        (place / "apt.conf").write_text(
            f'Dir::Etc::sourcelist "{place}/sources.list";\n'
            'Dir::Etc::sourceparts "-";\n'
            f'Dir::State::lists "{place}/lists";\n'
            'Dir::State::status "/dev/null";\n'
            f'Dir::Cache "{place}/cache";\n'
            f'APT::Sandbox::User "{"root" if os.geteuid() == 0 else ""}";\n'
            'APT::Update::Error-Mode "any";\n'
        )
        return place / "apt.conf"
