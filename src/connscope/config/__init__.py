"""The one typed configuration: a TOML file, ``CONNSCOPE_*`` and arguments fill one class."""

from connscope.config.keys import Config, Key, keys
from connscope.config.loading import DEFAULT_PATH, load_config

__all__ = ("DEFAULT_PATH", "Config", "Key", "keys", "load_config")
