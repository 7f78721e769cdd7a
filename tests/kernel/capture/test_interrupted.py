"""Runs that the kernel skips because the program was interrupted by itself.

That is a matter of luck, so here one of the two programs of each tracepoint is not there at all: as
if all its runs had been skipped.
"""

from __future__ import annotations

import socket

import numpy as np
import pytest

from connscope.capture.btf.tier import BtfTier
from connscope.config import Config
from connscope.kernel import BpfObject
from connscope.row.words import Failure, Kind
from tests.kernel.namespace import run_in_namespace
from tests.kernel.recorder import Recorder, pick

FIRST = ("inet_sock_set_state", "tcp_destroy_sock")
SECOND = tuple(f"{name}_again" for name in FIRST)
CONNECT_WITHOUT_ROUTE = """
with socket.socket() as client:
    assert client.connect_ex(("10.1.2.3", 4711)) == errno.ENETUNREACH
print(os.stat("/proc/self/ns/net").st_ino)
"""


@pytest.mark.parametrize("skipped", [FIRST, SECOND, ()], ids=["first", "second", "none"])
def test_each_event_has_one_row_whichever_of_the_two_programs_ran(
    skipped: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    """A connection, and an attempt that no SYN followed, are told once by what is left."""
    load = BpfObject.load

    def load_the_others(core: BpfObject) -> None:
        for program in core.programs.values():
            program.autoload = program.name not in skipped
        load(core)

    monkeypatch.setattr(BpfObject, "load", load_the_others)
    port = listener.getsockname()[1]
    with BtfTier(Config()) as tier:
        recorder = Recorder(tier)
        with socket.create_connection(("127.0.0.1", port)), listener.accept()[0]:
            pass
        namespace = run_in_namespace(CONNECT_WITHOUT_ROUTE)
        recorder.one(4711, Kind.FAILED, netns=namespace)
        rows = recorder.until(lambda rows: len(pick(rows, port, Kind.CLOSED)) >= 2)
    kinds = pick(rows, port, *Kind)["kind"]
    assert np.bincount(kinds)[[Kind.OPENED, Kind.CLOSED]].tolist() == [2, 2]
    failed = pick(rows, 4711, Kind.FAILED, netns=namespace)
    assert failed["failure"].tolist() == [Failure.UNREACHABLE]
