"""Many connections at once, and several of us."""

from __future__ import annotations

import collections
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from connscope.capture.btf.tier import BtfTier
from connscope.config import Config
from connscope.kernel.libbpf import ffi, library
from connscope.row.words import Kind, OwnerEvidence, Role
from tests.kernel.namespace import run_in_namespace
from tests.kernel.recorder import PATIENCE_S, Recorder, comm, pick
from tests.traffic.build import built

SMALL_RING = os.sysconf("SC_PAGESIZE")


@contextmanager
def accepting() -> Iterator[int]:
    """A server that accepts and closes as fast as it can; its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        thread = threading.Thread(target=accept_all, args=(listener,))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def accept_all(listener: socket.socket) -> None:
    """Accepts until the listener is shut down."""
    while True:
        try:
            server = listener.accept()[0]
        except OSError:
            return
        server.recv(1)
        server.close()


def test_2000_connections_of_200_brief_processes_have_their_owners(recorder: Recorder) -> None:
    """Each has the pid and the name of a process that was gone before anybody could ask /proc."""
    with accepting() as port:
        printed = subprocess.check_output([built("short_lived"), str(port), "200", "10"])
        processes = json.loads(printed)
        opened = recorder.until(
            lambda rows: len(pick(rows, port, Kind.OPENED, role=Role.CLIENT)) >= 2000
        )
    opened = pick(opened, port, Kind.OPENED, role=Role.CLIENT)

    lives_ms = sorted(lived / 1e6 for _, _, lived in processes)
    assert lives_ms[len(lives_ms) // 2] < 5
    seen = collections.Counter((int(row["pid"]), comm(row).decode()) for row in opened)
    assert seen == {(pid, name): 10 for pid, name, _ in processes}
    assert set(opened["owner_evidence"].tolist()) == {OwnerEvidence.CONNECT}


def test_three_namespaces_with_the_same_addresses_and_ports(recorder: Recorder) -> None:
    """The same tuple in three namespaces is three connections, each with its own counters."""
    program = """
listener = socket.create_server(("127.0.0.1", 8080))
client = socket.socket()
client.bind(("127.0.0.1", 9090))
client.connect(("127.0.0.1", 8080))
server = listener.accept()[0]
client.send(b"x" * {size})
left = {size}
while left:
    left -= len(server.recv(left))
client.close()
server.close()
print(os.stat("/proc/self/ns/net").st_ino)
"""
    expected = {
        run_in_namespace(program.format(size=size), "ip link set lo up"): size
        for size in (101, 202, 303)
    }
    closed = recorder.of_port(8080, Kind.CLOSED, count=6)
    closed = closed[closed["role"] == Role.CLIENT]

    found = {int(row["netns"]): int(row["bytes_sent"]) for row in closed}
    assert found == expected
    assert len(set(closed["connection_id"].tolist())) == 3
    assert set(zip(closed["local_port"], closed["peer_port"], strict=True)) == {(9090, 8080)}


def test_ring_too_small_loses_rows_and_counts_every_one() -> None:
    """Rows read and rows lost add up to what a second tier with a large ring has read."""
    with BtfTier(Config(ring_bytes=SMALL_RING)) as small, BtfTier(Config()) as large:
        with accepting() as port:
            for _ in range(500):
                socket.create_connection(("127.0.0.1", port)).close()
            everything = Recorder(large)
            everything.of_port(port, Kind.CLOSED, count=1000)
        everything.of_port(port, Kind.UNLISTENED)
        few = Recorder(small).drain()
        lost = small.losses().rows

    read = int((few["kind"] != Kind.LOST).sum())
    assert (few["kind"][0], few["lost"][0]) == (Kind.LOST, lost)
    assert lost > 0
    assert read + lost == len(everything.rows)


def test_ring_fills_with_what_nobody_reads(listener: socket.socket) -> None:
    """It says so while there is room left, and not any more once it was read."""
    with BtfTier(Config(ring_bytes=1 << 18)) as tier:
        filled = list[bool]()
        while not (filled and filled[-1]):
            with socket.create_connection(listener.getsockname()), listener.accept()[0]:
                filled.append(tier.is_filling)
        assert tier.losses().rows == 0
        while len(tier.events()):
            pass
        assert not tier.is_filling
    assert not filled[0]


def test_two_tiers_side_by_side_see_the_same(listener: socket.socket) -> None:
    """Two instances do not disturb each other: same ids, same counters, in both."""
    port = listener.getsockname()[1]
    with BtfTier(Config()) as one, BtfTier(Config()) as other:
        for _ in range(50):
            with socket.create_connection(("127.0.0.1", port)), listener.accept()[0]:
                pass
        closed = [Recorder(tier).of_port(port, Kind.CLOSED, count=100) for tier in (one, other)]

    names = ["socket_id", "connection_id", "bytes_sent", "segments_sent", "pid"]
    assert np.array_equal(closed[0][names], closed[1][names])


def test_names_come_through_as_bytes(recorder: Recorder, listener: socket.socket) -> None:
    """Blanks, brackets, escape codes and bytes that are no UTF-8 are kept in comm as they are."""
    names = (b"a b) (c", b"\x1b[31mred", b"\xff\xfe\xfd", b"[kworker/0:1]", b'"quote\\')
    for count, name in enumerate(names, 1):
        child = os.fork()
        if not child:
            Path("/proc/self/comm").write_bytes(name)
            os._exit(socket.socket().connect_ex(listener.getsockname()))
        os.waitpid(child, 0)
        rows = recorder.of_port(listener.getsockname()[1], Kind.OPENED, count=count)
        mine = rows[rows["pid"] == child]

        assert [comm(row) for row in mine] == [name]


KILLED = """
import sys, time
from connscope.capture.btf.tier import BtfTier
from connscope.config import Config
tier = BtfTier(Config(accept_owner="exact"))
tier.open()
print("ready", flush=True)
time.sleep(60)
"""


def test_kill_9_leaves_no_program_map_or_link() -> None:
    """Everything hangs on file descriptors: the kernel takes it away with the process."""
    before = kernel_ids()
    child = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.readline() == b"ready\n"
    made = {kind: ids - before[kind] for kind, ids in kernel_ids().items()}
    child.kill()
    child.wait()
    child.stdout.close()

    assert all(len(ids) >= 4 for ids in made.values()), made
    end = time.monotonic() + PATIENCE_S
    while left := {kind: ids & kernel_ids()[kind] for kind, ids in made.items()}:
        if not any(left.values()):
            return
        assert time.monotonic() < end, left


def kernel_ids() -> dict[str, set[int]]:
    """Ids of all programs, maps and links in the kernel."""
    lib = library()
    walks = {
        "programs": lib.bpf_prog_get_next_id,
        "maps": lib.bpf_map_get_next_id,
        "links": lib.bpf_link_get_next_id,
    }
    found: dict[str, set[int]] = {}
    for kind, walk in walks.items():
        found[kind], number = set(), ffi.new("unsigned int *", 0)
        while walk(number[0], number) == 0:
            found[kind].add(int(number[0]))
    return found
