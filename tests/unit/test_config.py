"""The configuration: where values come from, and what is said of wrong ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from connscope import config
from connscope.config import Config, keys, load_config
from connscope.errors import ConfigError

RING = "CONNSCOPE_RING_BYTES"
RING_VALUES = "a whole number from 4096 to 1073741824"
NOBODY = 65534


@pytest.fixture(autouse=True)
def default_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A default file of the test's own, which is not there yet."""
    path = tmp_path / "default.toml"
    monkeypatch.setattr("connscope.config.loading.DEFAULT_PATH", path)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file for the test to write."""
    return tmp_path / "given.toml"


def refusal(*arguments: Any, **settings: Any) -> str:
    """The message of the error that loading ends in."""
    with pytest.raises(ConfigError) as caught:
        load_config(*arguments, **settings)
    return str(caught.value)


def test_nothing_given_is_the_defaults():
    """Without file, environment and arguments every key has its default."""
    assert load_config() == Config()


def test_default_file_is_read(default_path: Path):
    """The default file counts if it is there."""
    default_path.write_text("ring_bytes = 4096")
    assert load_config().ring_bytes == 4096


def test_given_file_stands_for_the_default_one(default_path: Path, file: Path):
    """Of two files only the given one is read."""
    default_path.write_text("drain_interval_s = 1")
    file.write_text("ring_bytes = 4096")
    assert load_config(file) == Config(ring_bytes=4096)


@pytest.mark.parametrize(
    ("in_file", "in_environment", "argument", "wanted"),
    [
        (4096, None, None, 4096),
        (4096, 8192, None, 8192),
        (4096, None, 16384, 16384),
        (None, 8192, 16384, 16384),
        (4096, 8192, 16384, 16384),
    ],
)
def test_later_source_wins(
    file: Path, in_file: int | None, in_environment: int | None, argument: int | None, wanted: int
):
    """Arguments win over the environment, which wins over the file."""
    file.write_text(f"ring_bytes = {in_file}" if in_file else "")
    environment = {RING: str(in_environment)} if in_environment else {}
    assert load_config(file, environment, ring_bytes=argument).ring_bytes == wanted


def test_sources_are_merged_key_by_key(file: Path):
    """A source replaces only the keys that it has."""
    file.write_text('accept_owner = "listener"\naccept_owners_max = 7')
    merged = load_config(file, {"CONNSCOPE_ACCEPT_OWNERS_MAX": "8"}, drain_interval_s=0.5)
    assert merged == Config(accept_owner="listener", accept_owners_max=8, drain_interval_s=0.5)


@pytest.mark.parametrize("key", list(keys()), ids=lambda key: key.name)
def test_default_is_a_value_that_the_environment_takes(key: config.Key):
    """Every key has a variable, and the text of its default is a value for it."""
    assert load_config(environment={key.environment: str(key.default)}) == Config()


def test_environment_of_others_is_not_ours():
    """Only names that begin with CONNSCOPE_ count."""
    assert load_config(environment={"RING_BYTES": "1", "HOME": "/", "XCONNSCOPE_A": ""}) == Config()


def test_argument_none_is_not_given():
    """An option that nobody used changes nothing."""
    assert load_config(ring_bytes=None) == Config()


def test_unknown_key_of_file_is_named(file: Path):
    """The message has the file, the key, and the key that was meant."""
    file.write_text("ring_byte = 4096")
    assert refusal(file) == f"{file}: unknown key 'ring_byte'; did you mean 'ring_bytes'?"


def test_table_is_an_unknown_key(file: Path):
    """Keys stand at the top of the file, in no section."""
    file.write_text("[capture]\nring_bytes = 4096")
    assert refusal(file) == f"{file}: unknown key 'capture'"


def test_unknown_variable_is_named():
    """A variable of ours that is no key is a typing error."""
    message = refusal(environment={"CONNSCOPE_RINGBYTES": "4096"})
    assert message == (
        "environment CONNSCOPE_*: unknown key 'ringbytes'; did you mean 'ring_bytes'?"
    )


def test_unknown_argument_is_named():
    """A keyword that is no key is refused like any other."""
    assert refusal(colour="red") == "arguments: unknown key 'colour'"


@pytest.mark.parametrize(
    ("key", "value", "values"),
    [
        ("accept_owner", "always", "one of auto, exact, listener"),
        ("accept_owner", 1, "one of auto, exact, listener"),
        ("ring_bytes", "8M", RING_VALUES),
        ("ring_bytes", 2048, RING_VALUES),
        ("ring_bytes", 1 << 31, RING_VALUES),
        ("ring_bytes", 4096.5, RING_VALUES),
        ("ring_bytes", True, RING_VALUES),
        ("drain_interval_s", 0, "a number from 0.001 to 10"),
        ("drain_interval_s", float("nan"), "a number from 0.001 to 10"),
        ("drain_interval_s", float("inf"), "a number from 0.001 to 10"),
        ("accept_owners_max", 0, "a whole number from 1 to 16777216"),
        ("proc_root", "proc", "a path that begins with /"),
        ("proc_root", "", "a path that begins with /"),
        ("proc_root", "/a\0b", "a path that begins with /"),
        ("proc_root", 7, "a path that begins with /"),
    ],
)
def test_wrong_value_is_told_what_is_right(key: str, value: object, values: str):
    """The message has the source, the key, the value and all that it could be."""
    message = refusal(**{key: value})
    assert message == f"arguments: {key} is {value!r}: it must be {values}"


def test_wrong_value_of_file_names_the_file(file: Path):
    """Of several sources the one with the mistake is named."""
    file.write_text('ring_bytes = "4096"')
    assert (
        refusal(file, {RING: "4096"}) == f"{file}: ring_bytes is '4096': it must be {RING_VALUES}"
    )


def test_wrong_value_of_environment_names_it():
    """A variable's text that is no number is shown."""
    message = refusal(environment={RING: "8M"})
    assert message == f"environment CONNSCOPE_*: ring_bytes is '8M': it must be {RING_VALUES}"


def test_ring_must_be_a_power_of_two():
    """The kernel takes no other size; the message says so before it is asked."""
    assert refusal(ring_bytes=5000) == "arguments: ring_bytes is 5000: it must be a power of two"


def test_path_may_have_any_character_of_a_path():
    """A path is taken as it stands, with spaces and whatever else."""
    path = "/host files/äö\n/proc"
    assert load_config(environment={"CONNSCOPE_PROC_ROOT": path}).proc_root == path


def test_shortest_tick_is_not_longer_than_the_longest():
    """Two keys that contradict each other are both named."""
    assert refusal(procfs_period_min_s=0.2, procfs_period_max_s=0.1) == (
        "arguments: procfs_period_min_s is 0.2: it must not be more than procfs_period_max_s, 0.1"
    )


def test_given_file_has_to_exist(file: Path):
    """A file that somebody named and that is not there is an error."""
    assert refusal(file) == f"can not read {file}: No such file or directory"


def test_folder_is_no_file(tmp_path: Path):
    """A folder in place of the file is an error, not a trace."""
    assert refusal(tmp_path) == f"can not read {tmp_path}: Is a directory"


def test_invalid_toml_says_where(file: Path):
    """The message has the file, the line and the column."""
    file.write_text("ring_bytes = 4096\nring_bytes 8192\n")
    assert refusal(file) == (
        f"{file} is no TOML: Expected '=' after a key in a key/value pair (at line 2, column 12)"
    )


def test_file_that_is_not_utf8_is_named(file: Path):
    """TOML is UTF-8; anything else is an error that names the file."""
    file.write_bytes(b'accept_owner = "\xff"')
    assert refusal(file).startswith(f"{file} is not UTF-8: ")


def read_as_nobody(path: Path) -> str:
    """The message for somebody who may not read, whoever runs the test."""
    path.parent.chmod(0)
    if os.geteuid():
        return refusal()
    os.seteuid(NOBODY)
    try:
        return refusal()
    finally:
        os.seteuid(0)


def test_default_file_that_may_not_be_read_is_an_error(default_path: Path):
    """A default file in a folder of mode 0700 is not taken for no file: it could say anything."""
    default_path.write_text("ring_bytes = 4096")
    try:
        assert read_as_nobody(default_path) == f"can not read {default_path}: Permission denied"
    finally:
        default_path.parent.chmod(0o700)


def test_every_key_is_described():
    """Each key says what it is for and what it takes."""
    assert [key.name for key in keys() if not (key.description and key.values)] == []


def test_keys_are_the_fields():
    """What is documented is what there is."""
    assert tuple(key.name for key in keys()) == Config.__struct_fields__
