"""Each tier keeps what the contract says of it: no less, and it claims no more."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from connscope.capture.contract import CONTRACT, Certainty
from connscope.capture.ladder import Ladder
from connscope.config import load_config
from connscope.kernel.host.network_namespaces import network_namespace
from connscope.row.address import address_text
from connscope.row.columns import ROW, Rows
from connscope.row.words import Group, Kind, Role, State, Tier, word
from tests.kernel.namespace import Namespace
from tests.kernel.recorder import Recorder, comm, pick
from tests.kernel.tiers_here import TIERS_HERE

SENT, RECEIVED = 1234, 56
ENDS = {
    "ipv4": (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
    "ipv6": (socket.AF_INET6, "::1", "::1"),
    "v4-mapped": (socket.AF_INET6, "::ffff:127.0.0.1", "127.0.0.1"),
}


@pytest.fixture(params=TIERS_HERE, ids=word)
def capture(request: pytest.FixtureRequest) -> Iterator[Ladder]:
    """Each tier, looking often if it has to look."""
    config = load_config(tier=word(request.param), look_interval_s=0.1, owner_check_interval_s=0)
    with Ladder(config) as opened:
        yield opened


@pytest.fixture
def recorder(capture: Ladder) -> Recorder:
    """What that tier tells."""
    return Recorder(cast("Any", capture))  # it is a tier like any other


def serve(family: int, address: str) -> socket.socket:
    """A listener, of both families if the address is v4-mapped."""
    listener = socket.socket(family)
    if address.startswith("::ffff:"):
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind((address, 0))
    listener.listen()
    return listener


def life_of_a_connection(recorder: Recorder, family: int, address: str) -> tuple[int, Rows]:
    """Opens one, moves bytes, closes it; the port, and the closed rows of client and server."""
    with serve(family, address) as listener:
        port: int = listener.getsockname()[1]
        client = socket.socket(family)
        client.connect(listener.getsockname())
        server = listener.accept()[0]
        client.sendall(bytes(SENT))
        server.recv(SENT, socket.MSG_WAITALL)
        server.sendall(bytes(RECEIVED))
        client.recv(RECEIVED, socket.MSG_WAITALL)
        recorder.of_port(port, Kind.OPENED, count=2)
        client.close()
        server.recv(1)
        server.close()
        closed = recorder.of_port(port, Kind.CLOSED, count=2)
    assert len(closed) == 2
    return port, closed[np.argsort(closed["peer_port"] != port)]


@pytest.mark.parametrize("ends", ENDS)
def test_rows_are_as_certain_as_promised(recorder: Recorder, ends: str) -> None:
    """Exact groups have both bits, estimated ones are known, unknown ones are not."""
    family, address, _ = ENDS[ends]
    _, closed = life_of_a_connection(recorder, family, address)
    promised = CONTRACT[recorder.tier.tier]
    for row in closed:
        known, exact = Group(int(row["known"])), Group(int(row["exact"]))
        for group, certainty in promised.items():
            assert (group in known) == (certainty != Certainty.UNKNOWN), group
            accepted = group == Group.OWNER and row["role"] == Role.SERVER
            if certainty == Certainty.EXACT and not accepted:
                assert group in exact, group


@pytest.mark.parametrize("ends", ENDS)
def test_what_is_known_is_true(recorder: Recorder, ends: str) -> None:
    """Ends, owner and, where promised, bytes are the application's own."""
    family, address, text = ENDS[ends]
    port, closed = life_of_a_connection(recorder, family, address)
    for row in closed:
        assert address_text(row["local_address"].tobytes()) == text
        assert row["family"] == (6 if ":" in text else 4)
        assert row["netns"] == network_namespace(os.getpid())
        assert (row["pid"], comm(row)) == (os.getpid(), own_name())
    client, server = closed
    assert (client["peer_port"], server["local_port"]) == (port, port)
    for row, sent, received in ((client, SENT, RECEIVED), (server, RECEIVED, SENT)):
        if Group.TRAFFIC in Group(int(row["exact"])):
            assert (row["bytes_sent"], row["bytes_received"]) == (sent, received)
        elif Group.TRAFFIC in Group(int(row["known"])):
            # Of what is not proven a FIN may have been taken for a byte.
            assert row["bytes_sent"] in (sent, sent + 1)
            assert row["bytes_received"] in (received, received + 1)


def own_name() -> bytes:
    """What this process is called."""
    return Path("/proc/self/comm").read_bytes().rstrip(b"\n")


def test_opened_and_closed_are_one_connection(recorder: Recorder) -> None:
    """Both rows of an end have the same id, and the two ends differ."""
    port, closed = life_of_a_connection(recorder, *ENDS["ipv4"][:2])
    opened = pick(recorder.rows, port, Kind.OPENED)
    assert sorted(opened["connection_id"].tolist()) == sorted(closed["connection_id"].tolist())
    assert len(set(closed["connection_id"].tolist()) - {0}) == 2


def test_listener_comes_and_goes(recorder: Recorder) -> None:
    """With its owner and namespace."""
    with serve(socket.AF_INET, "127.0.0.1") as listener:
        port = listener.getsockname()[1]
        (listening,) = recorder.of_port(port, Kind.LISTENING)
    (unlistened,) = recorder.of_port(port, Kind.UNLISTENED)
    for row in (listening, unlistened):
        assert (row["pid"], row["role"]) == (os.getpid(), Role.SERVER)


@pytest.mark.parametrize("tier", TIERS_HERE, ids=word)
def test_older_sockets_are_in_a_look_and_no_event(listener: socket.socket, tier: Tier) -> None:
    """What was there before is shown, not told."""
    client = socket.create_connection(listener.getsockname())
    server, port = listener.accept()[0], listener.getsockname()[1]
    with client, server:
        with Ladder(load_config(tier=word(tier))) as capture:
            rows = pick(capture.look(), port, Kind.SNAPSHOT)
            assert not len(pick(capture.events(), port, *Kind))
        assert sorted(rows["state"].tolist()) == [State.ESTABLISHED] * 2 + [State.LISTEN]
        assert rows["pid"].tolist() == [os.getpid()] * 3


def test_connections_of_another_namespace_are_told(recorder: Recorder) -> None:
    """With the inode of that namespace, and the same port as one of ours."""
    with ExitStack() as stack:
        other = stack.enter_context(Namespace())
        port = stack.enter_context(serve(socket.AF_INET, "127.0.0.1")).getsockname()[1]
        with other.entered():  # without BPF a namespace is found by its processes
            resident = stack.enter_context(subprocess.Popen(["sleep", "60"]))
        stack.callback(resident.kill)
        recorder.until(lambda rows: len(pick(rows, port, Kind.LISTENING)))
        listener = stack.enter_context(other.listener("127.0.0.1", port))
        client = stack.enter_context(other.tcp())
        client.connect(("127.0.0.1", port))
        stack.enter_context(listener.accept()[0])
        rows = recorder.until(
            lambda rows: len(pick(rows, port, Kind.OPENED, netns=other.inode)) == 2
        )
    assert not len(pick(rows, port, Kind.OPENED, netns=network_namespace(os.getpid())))


def test_rows_are_rows(recorder: Recorder) -> None:
    """Events and looks of each tier are of one dtype and say which tier it was."""
    _, closed = life_of_a_connection(recorder, *ENDS["ipv4"][:2])
    look = recorder.tier.look()
    assert closed.dtype == look.dtype == ROW
    assert set(closed["tier"].tolist()) == {recorder.tier.tier}
    assert set(look["tier"].tolist()) <= {recorder.tier.tier}
