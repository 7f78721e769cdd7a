"""Runs a socket filter program when we say so, for messages that we send to ourselves.

It is how a kernel without BTF, where no iterator can be had, is made to go through our own maps.
"""

from __future__ import annotations

import socket
import struct

from connscope.kernel.libbpf import error_from
from connscope.kernel.program import BpfProgram
from connscope.kernel.resource import Resource

__all__ = ("MessageProgram",)

SO_ATTACH_BPF = 50


class MessageProgram(Resource):
    """A program of type socket filter that throws away each message which it has seen.

    Args:
        program: loaded; returns 0.

    Raises:
        KernelError: it may not be attached to a socket, or there is no socket to be had.
    """

    def __init__(self, program: BpfProgram) -> None:
        try:
            self._ours, self._filtered = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        except OSError as error:
            raise error_from(error.errno or 0, f"a socket for {program.name}") from error
        try:
            self._filtered.setsockopt(
                socket.SOL_SOCKET, SO_ATTACH_BPF, struct.pack("i", program.fd)
            )
        except OSError as error:
            self.close()
            raise error_from(error.errno or 0, f"attaching {program.name} to a socket") from error

    def run(self, message: bytes) -> None:
        """Runs it once; when this returns it has run."""
        self._ours.send(message)

    def close(self) -> None:
        """Lets go of both sockets; a second call does nothing."""
        self._ours.close()
        self._filtered.close()
