"""Processes that live in network namespaces of a test, by which they are found without BPF."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess

from tests.surroundings import PATIENCE
from tests.traffic.namespace import CLONE_NEWNET, MINE, Namespace, call_kernel
from tests.traffic.party import SIOCGSKNS

__all__ = ("Residents",)

LIVE_THERE = ("sleep", str(60 * PATIENCE))


class Residents:
    """One for each namespace that needs one."""

    def __init__(self) -> None:
        self._homes = dict[int, subprocess.Popen[bytes]]()

    def __contains__(self, inode: object) -> bool:
        return inode in self._homes

    def watch_namespaces(self) -> None:
        """From now on each that is made has one before it has a connection: else it would be found,
        and lost again, whenever somebody is in it for a moment."""
        made = Namespace.__init__

        def make(namespace: Namespace) -> None:
            made(namespace)
            with namespace:
                self._homes[namespace.inode] = subprocess.Popen(LIVE_THERE)

        setattr(Namespace, "__init__", make)  # noqa: B010  mypy knows no methods that change

    def settle(self, made: socket.socket, inode: int, here: int) -> None:
        """Into the namespace of a socket.

        Args:
            made: the socket.
            inode: of its namespace.
            here: that of this process, which needs none.
        """
        if inode == here or inode in self._homes:
            return
        home, there = os.open(MINE, os.O_RDONLY), fcntl.ioctl(made, SIOCGSKNS)
        try:
            call_kernel("setns", there, CLONE_NEWNET)
            self._homes[inode] = subprocess.Popen(LIVE_THERE)
        finally:
            call_kernel("setns", home, CLONE_NEWNET)
            os.close(home)
            os.close(there)

    def dismiss(self) -> None:
        """Ends all."""
        for home in self._homes.values():
            home.kill()
            home.wait()
