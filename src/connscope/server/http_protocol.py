"""HTTP of a server: who is at the other end of a unix socket, and how long a head may take."""

from __future__ import annotations

import asyncio
import socket
import struct

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from connscope.server.access import UNIX

__all__ = ("HEAD_S", "PeerProtocol")

HEAD_S = 15.0
"""So long a request may take until its head is complete: connections are few."""

PEER = struct.Struct("3i")
"""Of SO_PEERCRED: process, user, group."""


class PeerProtocol(H11Protocol):
    """HTTP that says which user is at the other end, and does not wait for ever for a head."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As before; then the client's address is its user."""
        super().connection_made(transport)
        peer = transport.get_extra_info("socket")
        if peer is not None and peer.family == socket.AF_UNIX:
            found = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size)
            self.client = (UNIX, PEER.unpack(found)[1])
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """As before; a head that has begun and not ended is waited for, however slowly it comes."""
        super().data_received(data)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._end_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        if self.conn.their_state is not h11.IDLE or self.transport.get_protocol() is not self:
            self._end_waiting()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_S, self.transport.close)

    def _end_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
