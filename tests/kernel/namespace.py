"""Programs and sockets in network namespaces of their own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from connscope.kernel.resource import Resource
from tests.traffic.namespace import CLONE_NEWNET, MINE, call_kernel, leave_for_good

PATIENCE_S = 30
SYSCTLS = Path("/proc/sys/net")


def run_in_namespace(program: str, *commands: str) -> Any:
    """Runs Python text in a new network namespace; returns what it prints as JSON.

    Args:
        program: the text; `socket`, `os`, `json` and `errno` are imported.
        commands: shell commands run before it, e.g. ``ip link set lo up``.
    """
    prelude = "import errno, json, os, socket, struct, time\n"
    script = " && ".join((*commands, 'exec "$0" -c "$1"'))
    finished = subprocess.run(
        ["unshare", "--net", "sh", "-c", script, sys.executable, prelude + program],
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    return json.loads(finished.stdout)


class Namespace(Resource):
    """A network namespace with its loopback up, held by one descriptor.

    It has no name and nobody lives in it: it ends with the last of its sockets, also when the test
    is killed.
    """

    def __init__(self) -> None:
        home = os.open(MINE, os.O_RDONLY)
        try:
            leave_for_good()
            self.fd = os.open(MINE, os.O_RDONLY)
            call_kernel("setns", home, CLONE_NEWNET)
        finally:
            os.close(home)
        self.inode = os.fstat(self.fd).st_ino
        self.run("ip link set lo up")

    @contextmanager
    def entered(self) -> Iterator[None]:
        """The calling thread is in the namespace, and so is what it makes: sockets, processes."""
        home = os.open(MINE, os.O_RDONLY)
        call_kernel("setns", self.fd, CLONE_NEWNET)
        try:
            yield
        finally:
            call_kernel("setns", home, CLONE_NEWNET)
            os.close(home)

    def run(self, command: str, text: str | None = None) -> str:
        """Runs a command in the namespace, with `text` as its input; returns what it prints."""
        words = command.split()
        assert shutil.which(words[0]), f"no {words[0]} here: run tools/setup.sh --dev"
        with self.entered():
            finished = subprocess.run(
                words, input=text, capture_output=True, text=True, timeout=PATIENCE_S, check=False
            )
        assert finished.returncode == 0, f"{command}: {finished.stderr}"
        return finished.stdout

    def filter(self, rules: str, hook: str = "input") -> None:
        """Makes nftables' ruleset: one table ``inet test`` with one chain on one hook."""
        chain = f"chain rules {{ type filter hook {hook} priority 0; {rules}\n }}"
        self.run("nft -f -", text=f"flush ruleset\ntable inet test {{ {chain}\n }}\n")

    def filtered(self) -> list[int]:
        """How many packets each rule with a ``counter`` has met, in the order of the rules."""
        listed = json.loads(self.run("nft -j list chain inet test rules"))
        rules = [item["rule"]["expr"] for item in listed["nftables"] if "rule" in item]
        parts = [part for rule in rules for part in rule if "counter" in part]
        return [int(part["counter"]["packets"]) for part in parts]

    def until_filtered(self, packets: int) -> None:
        """Waits until the first rule with a ``counter`` has met so many packets."""
        end = time.monotonic() + PATIENCE_S
        while self.filtered()[0] < packets:
            assert time.monotonic() < end, f"not {packets} packets within {PATIENCE_S} s"

    def counter(self, protocol: str, name: str) -> int:
        """A counter of the namespace, e.g. ``Tcp`` AttemptFails, ``TcpExt`` ListenDrops."""
        lines = self.run("cat /proc/self/net/snmp /proc/self/net/netstat").splitlines()
        names, values = (line.split() for line in lines if line.startswith(f"{protocol}:"))
        return int(values[names.index(name)])

    def set(self, name: str, value: object) -> None:
        """Sets a sysctl of the namespace, e.g. ``ipv4/tcp_syn_retries``."""
        with self.entered():
            (SYSCTLS / name).write_text(str(value))

    def tcp(self, family: int = socket.AF_INET) -> socket.socket:
        """A TCP socket of the namespace."""
        with self.entered():
            return socket.socket(family)

    def listener(self, address: str, port: int = 0, backlog: int = 16) -> socket.socket:
        """A listening socket of the namespace."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with self.entered():
            return socket.create_server((address, port), family=family, backlog=backlog)

    def close(self) -> None:
        """Lets go of it."""
        os.close(self.fd)


class NamespacePair(Resource):
    """Two namespaces joined by a veth: `left` is 10.77.0.1 and fd77::1, `right` the same with 2."""

    left_address, right_address = "10.77.0.1", "10.77.0.2"
    left_address6, right_address6 = "fd77::1", "fd77::2"

    def __init__(self) -> None:
        self.left, self.right = Namespace(), Namespace()
        peer = f"/proc/{os.getpid()}/fd/{self.right.fd}"
        self.left.run(f"ip link add veth0 type veth peer name veth0 netns {peer}")
        for namespace in (self.left, self.right):
            namespace.run("ip link set veth0 up")
        for namespace, v4, v6 in (
            (self.left, self.left_address, self.left_address6),
            (self.right, self.right_address, self.right_address6),
        ):
            namespace.run(f"ip addr add {v4}/24 dev veth0")
            namespace.run(f"ip addr add {v6}/64 dev veth0 nodad")

    def cut(self) -> None:
        """Neither end hears TCP of the other from now on."""
        for namespace in (self.left, self.right):
            namespace.filter("meta l4proto tcp drop")

    def mend(self) -> None:
        """Takes all rules of both ends away."""
        for namespace in (self.left, self.right):
            namespace.filter("")

    def close(self) -> None:
        """Lets go of both; the link goes with them."""
        self.left.close()
        self.right.close()
