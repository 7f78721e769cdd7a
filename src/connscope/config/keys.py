"""All settings in one class, and what each of them is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from msgspec import Meta

from connscope.config.fleet_keys import FleetKeys

__all__ = ("ENVIRONMENT_PREFIX", "Config", "Key", "keys")

ENVIRONMENT_PREFIX = "CONNSCOPE_"


class Config(FleetKeys, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of connscope."""


class Key(NamedTuple):
    """One key as the documentation shows it."""

    name: str
    default: object
    environment: str
    values: str
    description: str


def keys() -> Iterator[Key]:
    """All keys with what is said about them."""
    defaults = Config()
    for name, hint in get_type_hints(Config, include_extras=True).items():
        kind, meta = get_args(hint)
        environment, values = ENVIRONMENT_PREFIX + name.upper(), _describe_values(kind, meta)
        yield Key(name, getattr(defaults, name), environment, values, meta.description or "")


def _describe_values(kind: Any, meta: Meta) -> str:
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    if kind is str:
        return "a path that begins with /" if str(meta.pattern).startswith("^/") else "text"
    if kind is bool:
        return "true or false"
    return f"{'a whole number' if kind is int else 'a number'} from {meta.ge} to {meta.le}"
