"""Who owns an accepted connection: the listener, the closing process, the accepting task."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connscope.capture.btf.accept_owner import BY_CALL, BY_FEXIT, OWNER, AcceptOwner
from connscope.capture.btf.tier import BtfTier
from connscope.config import Config
from connscope.errors import NotPermittedError
from connscope.row.columns import ROW
from connscope.row.words import Group, Kind, OwnerEvidence, Role
from tests.kernel.recorder import Recorder, pick
from tests.surroundings import FEXIT_EXPECTED

COMPARED = {
    *("kind", "known", "role", "connection_id", "socket_id", "netns", "state", "left_state"),
    *(f"{side}_{what}" for side in ("local", "peer") for what in ("address", "port")),
    *("bytes_sent", "bytes_received", "unread_bytes", "closed_by", "error", "failure"),
    *("isn_local", "isn_peer"),
}


def fork(run: Callable[[], object]) -> int:
    """Runs in a child that ends by itself; its pid."""
    child = os.fork()
    if not child:
        try:
            run()
        finally:
            os._exit(0)
    return child


def serve_one(listener: socket.socket) -> None:
    """Accepts one connection, says a word, closes."""
    server = listener.accept()[0]
    server.recv(1)
    server.close()


def use(listener: socket.socket, worker: int) -> int:
    """A connection that the worker accepts; its port."""
    with socket.create_connection(listener.getsockname()) as client:
        client.send(b"x")
        client.recv(1)
    os.waitpid(worker, 0)
    return int(listener.getsockname()[1])


def served_by_worker() -> tuple[int, int]:
    """One connection that a worker accepts from our listener; the worker's pid, and the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker = fork(lambda: serve_one(listener))
        return worker, use(listener, worker)


def test_listener_is_corrected_by_who_closes() -> None:
    """Until the close the listening process is named, as an estimate; then the worker."""
    with BtfTier(Config(accept_owner="listener")) as tier:
        recorder = Recorder(tier)
        worker, port = served_by_worker()
        opened = recorder.one(port, Kind.OPENED, role=Role.SERVER)
        closed = recorder.one(port, Kind.CLOSED, role=Role.SERVER)

    assert (opened["pid"], opened["owner_evidence"]) == (os.getpid(), OwnerEvidence.LISTENER)
    assert (closed["pid"], closed["owner_evidence"]) == (worker, OwnerEvidence.CLOSE)
    assert Group.OWNER not in Group(int(opened["exact"])) | Group(int(closed["exact"]))


def test_auto_is_exact_where_fexit_can_be_loaded(recorder: Recorder) -> None:
    """With fexit there is an accepted row and accept evidence, without it the closing process."""
    worker, port = served_by_worker()
    closed = recorder.one(port, Kind.CLOSED, role=Role.SERVER)
    fexit = recorder.tier.parts["accept owner"].works
    expected = OwnerEvidence.ACCEPT if fexit else OwnerEvidence.CLOSE

    assert (closed["pid"], closed["owner_evidence"]) == (worker, expected)
    accepted = pick(recorder.rows, port, Kind.ACCEPTED)
    assert accepted["pid"].tolist() == ([worker] if fexit else [])


def test_fexit_tells_the_same_rows_with_better_evidence() -> None:
    """Of one connection the rows with and without it are the same, but for who is its owner and
    how that is known; where fexit may not be loaded there is no difference at all."""
    same = [name for name in ROW.names or () if name in COMPARED]
    with BtfTier(Config(accept_owner="listener")) as plain, BtfTier(Config()) as auto:
        worker, port = served_by_worker()
        told = []
        for tier in (plain, auto):
            recorder = Recorder(tier)
            recorder.of_port(port, Kind.UNLISTENED)
            recorder.of_port(port, Kind.CLOSED, count=2)
            rows = pick(recorder.rows, port, *set(Kind) - {Kind.ACCEPTED})
            told.append(rows[np.lexsort((rows["role"], rows["kind"]))])
        fexit = auto.parts[BY_FEXIT].works

    assert fexit or not FEXIT_EXPECTED, auto.parts[BY_FEXIT]
    without, better = told
    assert len(better) == 6
    assert np.array_equal(better[same], without[same])
    accepted = (better["role"] == Role.SERVER) & (better["kind"] == Kind.CLOSED)
    assert without["owner_evidence"][accepted].tolist() == [OwnerEvidence.CLOSE]
    found = OwnerEvidence.ACCEPT if fexit else OwnerEvidence.CLOSE
    assert better["owner_evidence"][accepted].tolist() == [found]
    assert better["pid"][accepted].tolist() == [worker]
    more = better["exact"] & ~without["exact"]
    assert more.tolist() == np.where(accepted & fexit, Group.OWNER, 0).tolist()


def test_connect_evidence_stays_when_another_process_closes(
    recorder: Recorder, listener: socket.socket
) -> None:
    """Who connected stays the owner, also if a child closes last."""
    client = socket.create_connection(listener.getsockname())
    server = listener.accept()[0]
    reader, writer = os.pipe()

    def close_after_the_parent() -> None:
        os.close(writer)
        os.read(reader, 1)
        client.close()

    child = fork(close_after_the_parent)
    client.close()
    os.close(writer)
    os.waitpid(child, 0)
    os.close(reader)
    server.close()

    row = recorder.one(listener.getsockname()[1], Kind.CLOSED, role=Role.CLIENT)
    assert (row["pid"], row["owner_evidence"]) == (os.getpid(), OwnerEvidence.CONNECT)


def test_exact_names_the_accepting_task(exact_recorder: Recorder) -> None:
    """With accept_owner = exact an accepted row comes, and the close has the same owner."""
    worker, port = served_by_worker()

    accepted = exact_recorder.one(port, Kind.ACCEPTED)
    closed = exact_recorder.one(port, Kind.CLOSED, role=Role.SERVER)
    for row in (accepted, closed):
        assert (row["pid"], row["owner_evidence"]) == (worker, OwnerEvidence.ACCEPT)
        assert Group.OWNER in Group(int(row["exact"]))
    assert accepted["connection_id"] == closed["connection_id"]
    assert accepted["local_port"] == port


def test_exact_takes_fexit_where_calls_can_not_be_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with lockdown=confidentiality; where that is refused too, the first reason is told."""
    attach = AcceptOwner._attach

    def refuse(core: Any, opened: Any, name: str, only: str | None) -> None:
        if name == "accept":
            raise NotPermittedError("sys_exit", "locked down")
        attach(core, opened, name, only)

    monkeypatch.setattr(AcceptOwner, "_attach", staticmethod(refuse))
    with BtfTier(Config(accept_owner="exact")) as tier:
        worker, port = served_by_worker()
        closed = Recorder(tier).one(port, Kind.CLOSED, role=Role.SERVER)

    fexit = tier.parts[BY_FEXIT].works
    assert tier.parts[OWNER].feature == (BY_FEXIT if fexit else BY_CALL)
    assert tier.parts[OWNER].works == fexit
    expected = OwnerEvidence.ACCEPT if fexit else OwnerEvidence.CLOSE
    assert (closed["pid"], closed["owner_evidence"]) == (worker, expected)


def test_exact_sees_a_process_that_was_in_accept_before(listener: socket.socket) -> None:
    """No trick is needed for a server that sat in accept() when we came."""
    worker = fork(lambda: serve_one(listener))
    while "accept" not in Path(f"/proc/{worker}/wchan").read_text():
        pass
    with BtfTier(Config(accept_owner="exact")) as tier:
        port = use(listener, worker)
        row = Recorder(tier).one(port, Kind.ACCEPTED)

    assert row["pid"] == worker


@pytest.mark.parametrize("entries", [1, 2])
def test_exact_counts_the_owners_that_it_has_no_room_for(
    listener: socket.socket, entries: int
) -> None:
    """What does not fit into accept_owners_max is a counted loss, and its row is still made."""
    held = []
    with BtfTier(Config(accept_owner="exact", accept_owners_max=entries)) as tier:
        for _ in range(entries + 3):
            held.append(socket.create_connection(listener.getsockname()))
            held.append(listener.accept()[0])
        rows = Recorder(tier).of_port(listener.getsockname()[1], Kind.ACCEPTED, count=entries + 3)
        losses = tier.losses()
    for end in held:
        end.close()

    assert losses.owners >= 3  # others on this machine may accept meanwhile
    assert len(rows) == entries + 3


def test_owners_are_forgotten_with_their_sockets(exact_recorder: Recorder) -> None:
    """The map of accept owners holds no socket that is gone."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(20):
            use(listener, fork(lambda: serve_one(listener)))
        port = listener.getsockname()[1]
    mine = set(exact_recorder.of_port(port, Kind.ACCEPTED, count=20)["socket_id"].tolist())
    owners = exact_recorder.tier.map("accept_owners")

    exact_recorder.until(lambda _: not mine & {int.from_bytes(key, "little") for key in owners})


def test_listener_setting_never_looks_at_accept() -> None:
    """accept_owner = listener attaches nothing to accept."""
    with BtfTier(Config(accept_owner="listener")) as tier:
        assert tier.parts["accept owner"].verdict == "not wanted"
