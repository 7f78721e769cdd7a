"""Tokens: hard to guess, bound to a host, and read only from files of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from connscope.errors import ConfigError
from connscope.tokens import agent_token, make_token, read_token

SECRET = "k" * 30


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    """A file with a token."""
    path.write_text(text)
    path.chmod(mode)
    return path


def test_tokens_are_long_and_differ():
    """256 bits."""
    made = {make_token() for _ in range(50)}
    assert len(made) == 50
    assert min(map(len, made)) >= 43


def test_the_token_of_an_agent_is_of_its_host_and_server():
    """The same each time, and none of another."""
    assert agent_token(SECRET, "a") == agent_token(SECRET, "a")
    assert len({agent_token(SECRET, "a"), agent_token(SECRET, "b"), agent_token("x", "a")}) == 3


def test_a_file_is_read_without_its_newline(tmp_path: Path):
    """As editors leave it."""
    assert read_token(written(tmp_path / "token", f"{SECRET}\n")) == SECRET


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_what_others_may_read_is_no_secret(tmp_path: Path, mode: int):
    """It says what to do."""
    with pytest.raises(ConfigError, match="chmod 600"):
        read_token(written(tmp_path / "token", SECRET, mode))


@pytest.mark.parametrize("text", ["", "short", "two words are not a token", "tab\tin the middle"])
def test_what_is_no_token(tmp_path: Path, text: str):
    """Too short, or not one word."""
    with pytest.raises(ConfigError, match="16 printable"):
        read_token(written(tmp_path / "token", text))


def test_what_can_not_be_read(tmp_path: Path):
    """A missing file, and one that is not text."""
    (tmp_path / "bytes").write_bytes(b"\xff" * 20)
    (tmp_path / "bytes").chmod(0o600)
    for name in ("nowhere", "bytes", "."):
        with pytest.raises(ConfigError, match="can not read the token"):
            read_token(tmp_path / name)
