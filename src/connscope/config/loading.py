"""Fills the configuration: from a TOML file, ``CONNSCOPE_*`` and arguments."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from connscope.config.keys import ENVIRONMENT_PREFIX, Config, keys
from connscope.errors import ConfigError

__all__ = ("DEFAULT_PATH", "load_config")

DEFAULT_PATH = Path("/etc/connscope/config.toml")
ENVIRONMENT = f"environment {ENVIRONMENT_PREFIX}*"


def load_config(
    path: Path | None = None, environment: Mapping[str, str] | None = None, **settings: Any
) -> Config:
    """Fills the configuration: defaults, then the file, then the environment, then the arguments.

    Args:
        path: a TOML file that has to exist; None reads the default one if there is one.
        environment: where to look for ``CONNSCOPE_*``, e.g. ``os.environ``; None for nowhere.
        settings: by key; None means not given.

    Raises:
        ConfigError: a key is unknown or a value wrong, named with where it came from; or the file
            can not be read.
    """
    config = Config()
    for source, found in (
        _from_file(path),
        (ENVIRONMENT, _from_environment(environment or {})),
        ("arguments", {name: value for name, value in settings.items() if value is not None}),
    ):
        config = _merge(config, source, found)
    return config


def _merge(config: Config, source: str, found: dict[str, Any]) -> Config:
    for name in found:
        if name not in Config.__struct_fields__:
            near = difflib.get_close_matches(name, Config.__struct_fields__, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"{source}: unknown key {name!r}{hint}")
    try:
        return msgspec.convert(
            {**msgspec.structs.asdict(config), **found}, Config, strict=source != ENVIRONMENT
        )
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source}: {_explain(str(error), found)}") from error


def _explain(message: str, found: dict[str, Any]) -> str:
    """What msgspec says of a value leaves out the value and what could be instead. Its message ends
    in "- at `$.key`", unless it is one of ours."""
    name = message.rpartition(" - at `$.")[2].rstrip("`")
    key = next((key for key in keys() if key.name == name), None)
    return f"{name} is {found[name]!r}: it must be {key.values}" if key else message


def _from_file(path: Path | None) -> tuple[str, dict[str, Any]]:
    file = path or DEFAULT_PATH
    try:
        return str(file), tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        if path is None and isinstance(error, FileNotFoundError):
            return str(file), {}
        raise ConfigError(f"can not read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is no TOML: {error}") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Only names of ours; CONNSCOPE_FOO that is no key is refused, because it is a typing error."""
    return {
        name.removeprefix(ENVIRONMENT_PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(ENVIRONMENT_PREFIX)
    }
