"""Which server a configuration names."""

from __future__ import annotations

import pytest

from connscope.agent.place import find_place
from connscope.errors import ConfigError


@pytest.mark.parametrize(
    "url",
    ["scope", "ftp://scope", "https://", "https://scope:x", "https://scope/x", "https://scope?x",
     f"https://{'x' * 64}.example", "https://scope:70000"],
)  # fmt: skip
def test_urls_that_are_none(url: str):
    """The key is named."""
    with pytest.raises(ConfigError, match="server_url is"):
        find_place(url, "", plaintext=True)


def test_plain_http_leaves_the_machine_only_when_it_may():
    """Everybody on the way reads who talks to whom; then it is said so."""
    with pytest.raises(ConfigError, match="--plaintext"):
        find_place("http://scope", "", plaintext=False)
    assert find_place("http://scope", "", plaintext=True).is_open_to_others
    for url in ("https://scope", "http://127.0.0.1:4040", "http://[::1]:4040", "http://localhost"):
        assert not find_place(url, "", plaintext=False).is_open_to_others


def test_ports_that_are_not_given():
    """That of https, and that of our servers."""
    assert str(find_place("https://scope", "", plaintext=False)).endswith(":443")
    assert str(find_place("http://[::1]", "", plaintext=False)) == "http://[::1]:4040"
