"""Where the files of this user are: those of root are in /run and /var."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from connscope.config import Config

__all__ = ("own_paths", "runtime_dir")

SYSTEM_DIR = "/run/connscope"


def runtime_dir(environment: Mapping[str, str]) -> Path:
    """The directory for what is gone after a reboot; it may not exist yet."""
    if os.geteuid() == 0:
        return Path(SYSTEM_DIR)
    given = environment.get("XDG_RUNTIME_DIR", "")
    return Path(given) / "connscope" if given else Path(f"/tmp/connscope-{os.geteuid()}")  # noqa: S108  made with 0700, and refused if it is not ours


def own_paths(config: Config, environment: Mapping[str, str]) -> Config:
    """The configuration with paths that this user can write to, where they are the usual ones."""
    if os.geteuid() == 0:
        return config
    usual, here = Config(), runtime_dir(environment)
    state = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local/state")
    changed = dict[str, str]()
    if config.server_socket == usual.server_socket:
        changed["server_socket"] = str(here / "connscope.sock")
    if config.spool_dir == usual.spool_dir:
        changed["spool_dir"] = f"{state}/connscope/spool"
    return msgspec.structs.replace(config, **changed)
