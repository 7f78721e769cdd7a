"""Softirqs without tracepoints are noticed, those with them are not taken for such."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from connscope.kernel import BpfObject
from tests.kernel.untraced import OBJECT, UntracedSoftirqs


@pytest.fixture
def untraced() -> Iterator[UntracedSoftirqs]:
    opened = UntracedSoftirqs()
    yield opened
    opened.close()


def happened_while_receiving(untraced: UntracedSoftirqs, listener: socket.socket) -> bool:
    untraced.begin()
    with socket.create_connection(listener.getsockname()):
        return untraced.happened()


def test_traced_ones_are_no_reason(untraced: UntracedSoftirqs, listener: socket.socket) -> None:
    """In nearly each of many tries there are none."""
    tries = [happened_while_receiving(untraced, listener) for _ in range(20)]

    assert tries.count(True) < 5


def test_untraced_ones_are_noticed(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    """What is not attached counts none of those that receive."""
    monkeypatch.setattr(BpfObject, "attach", lambda _: None)
    opened = UntracedSoftirqs()
    try:
        assert happened_while_receiving(opened, listener)
    finally:
        opened.close()


def test_without_the_tracepoint_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    """A kernel without BTF: no test is made again."""
    monkeypatch.setattr("tests.kernel.untraced.OBJECT", OBJECT.parent / "missing_tracepoint.bpf.o")
    assert not happened_while_receiving(UntracedSoftirqs(), listener)
