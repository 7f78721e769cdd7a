"""A socket filter that runs when it is sent a message, and columns of what it wrote."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from connscope.errors import KernelError, UsageError
from connscope.kernel import BpfObject, MappedArray
from connscope.kernel.message_program import MessageProgram

OBJECT = Path(__file__).parents[1] / "objects" / "message.bpf.o"
HEARD = np.dtype([("messages", np.uint64), ("numbers", [("sum", np.uint32), ("count", np.uint32)])])
MANY = 100_000
"""Messages that nobody takes out: more than any queue of a socket holds."""


@pytest.fixture
def loaded() -> Iterator[BpfObject]:
    """The program and its map."""
    with BpfObject(OBJECT) as made:
        yield made.load()


def test_each_message_runs_it_once(loaded: BpfObject) -> None:
    """When `run` returns it has run, over all of the message and no more."""
    with (
        MessageProgram(loaded.programs["add_up"]) as program,
        MappedArray(loaded.maps["heard"], HEARD) as heard,
    ):
        for numbers in ([1, 2, 3], [40], []):
            program.run(np.array(numbers, np.uint32).tobytes())
        assert heard.copy(1)["messages"].tolist() == [3]
        assert heard.column(1, "numbers", "sum").tolist() == [46]
        assert heard.column(2, "numbers", "count").tolist() == [4, 0]


def test_messages_do_not_pile_up(loaded: BpfObject) -> None:
    """The filter throws each away, so there is always room for the next one."""
    with (
        MessageProgram(loaded.programs["add_up"]) as program,
        MappedArray(loaded.maps["heard"], HEARD) as heard,
    ):
        for _ in range(MANY):
            program.run(bytes(4))
        assert heard.column(1, "messages").tolist() == [MANY]


def test_column_is_a_copy(loaded: BpfObject) -> None:
    """It stays as it was, also when the array is closed; then there is no other one."""
    with MessageProgram(loaded.programs["add_up"]) as program:
        heard = MappedArray(loaded.maps["heard"], HEARD)
        before = heard.column(1, "messages")
        program.run(bytes(4))
        assert heard.column(1, "messages").tolist() == [1]
        heard.close()
    assert before.tolist() == [0]
    with pytest.raises(UsageError, match="closed"):
        heard.column(1, "messages")


def test_program_of_another_type_is_refused() -> None:
    """One for cgroups is no filter."""
    path = OBJECT.with_name("cgroup.bpf.o")
    with BpfObject(path) as other:
        other.load()
        program = next(iter(other.programs.values()))
        with pytest.raises(KernelError, match=f"attaching {program.name} to a socket"):
            MessageProgram(program)


def test_without_descriptors_it_is_an_error_of_the_kernel(
    loaded: BpfObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that whoever tries says that this part does not work, and goes on without it."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("connscope.kernel.message_program.socket.socketpair", refuse)
    with pytest.raises(KernelError, match="a socket for add_up"):
        MessageProgram(loaded.programs["add_up"])
