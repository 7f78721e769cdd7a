"""The range of ephemeral ports, from the text of the sysctl."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.kernel.host.port_range import (
    DEFAULT_PORT_RANGE,
    PortRange,
    parse_port_range,
    read_port_range,
)

OWN = Path("/proc/thread-self/ns/net")


def test_range_is_two_numbers():
    """As the kernel writes them: with a tabulator."""
    assert parse_port_range("1024\t65535\n") == PortRange(1024, 65535)


@pytest.mark.parametrize("text", ["", "1", "1 2 3", "a b", "-1 5", "5 4", "1 65536"])
def test_what_is_no_range_is_the_default(text: str):
    """A wrong range would make servers of clients."""
    assert parse_port_range(text) == DEFAULT_PORT_RANGE == PortRange(32768, 60999)


@given(st.text(max_size=20))
def test_any_text_gives_a_range(text):
    """Of ports."""
    first, last = parse_port_range(text)
    assert 0 <= first <= last <= 65535


def test_file_is_read(tmp_path: Path):
    """In the own namespace no capability is needed."""
    sysctl = tmp_path / "ip_local_port_range"
    sysctl.write_text("1 2")
    assert read_port_range(OWN, sysctl) == PortRange(1, 2)


def test_what_can_not_be_read_is_the_default(tmp_path: Path):
    """The file is not there, or the namespace is gone."""
    gone = tmp_path / "gone"
    assert read_port_range(OWN, gone) == read_port_range(gone) == DEFAULT_PORT_RANGE
