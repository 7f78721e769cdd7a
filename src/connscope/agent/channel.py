"""What the capturing process tells the reporting one, over a socket that only they have."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Any

import msgspec
import numpy as np

from connscope.report.report import Look, Name, Report
from connscope.row.columns import ROW

__all__ = ("ASK_FULL", "Channel", "ReportHead", "make_channel")

ASK_FULL = b"F"
"""What comes back: the server missed something and wants a full report."""

LENGTHS = struct.Struct("<QQQQ")
PATIENCE_S = 10.0


class ReportHead(msgspec.Struct, frozen=True):
    """All of a report but its rows."""

    look: Look
    sequence: int
    base: int | None
    names: tuple[Name, ...]


class Channel:
    """One end. Both trust each other: they are of one program and of one machine.

    Args:
        end: of a pair of stream sockets.
        patience_s: how long the other end may take nothing while we send.
    """

    def __init__(self, end: socket.socket, patience_s: float = PATIENCE_S) -> None:
        self._end = end
        seconds, microseconds = int(patience_s), int(patience_s % 1 * 1e6)
        wait = struct.pack("@ll", seconds, microseconds)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, wait)
        self._encoder, self._decoder = (
            msgspec.msgpack.Encoder(),
            msgspec.msgpack.Decoder(ReportHead),
        )

    def fileno(self) -> int:
        """To wait on."""
        return self._end.fileno()

    def send(self, report: Report) -> None:
        """Sends a report as it lies in memory; waits while the other end is busy.

        Raises:
            OSError: the other end is gone, or takes nothing more; the channel is of no use then.
        """
        head = ReportHead(report.look, report.sequence, report.base, report.names)
        tables = (report.open, report.ended, report.gone)
        parts: list[Any] = [
            self._encoder.encode(head),
            *(np.ascontiguousarray(each) for each in tables),
        ]
        sizes = [memoryview(part).nbytes for part in parts]
        try:
            self._end.sendall(LENGTHS.pack(*sizes))
            for part in parts:
                self._end.sendall(memoryview(part).cast("B"))
        except BlockingIOError as error:
            raise TimeoutError("the reporting process takes no more reports") from error

    def receive(self) -> Report | None:
        """The next report; None when the other end is gone."""
        lengths = self._read(LENGTHS.size)
        if lengths is None:
            return None
        parts = [self._read(length) for length in LENGTHS.unpack(lengths)]
        if None in parts:
            return None
        head, open_rows, ended, gone = (bytes(part or b"") for part in parts)
        told = self._decoder.decode(head)
        return Report(
            look=told.look,
            sequence=told.sequence,
            base=told.base,
            open=np.frombuffer(open_rows, ROW),
            ended=np.frombuffer(ended, ROW),
            gone=np.frombuffer(gone, np.uint64),
            names=told.names,
        )

    def _read(self, length: int) -> bytearray | None:
        content = bytearray(length)
        with memoryview(content) as left:
            at = 0
            while at < length:
                try:
                    count = self._end.recv_into(left[at:])
                except ConnectionResetError:  # it ended before it heard that a full one is wanted
                    count = 0
                if not count:
                    return None
                at += count
        return content

    def ask_full(self) -> None:
        """Wants a full report the next time; who does not listen any more need not hear it."""
        try:
            self._end.send(ASK_FULL)
        except OSError:
            return

    def is_full_wanted(self) -> bool:
        """Whether the other end has asked for one since.

        Raises:
            ConnectionError: the other end is gone.
        """
        try:
            said = self._end.recv(4096, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        if not said:
            raise ConnectionResetError("the reporting process is gone")
        return True

    def end(self) -> None:
        """Nobody hears anything more, whoever waits for it; for other threads too."""
        with contextlib.suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """The other end notices."""
        self._end.close()


def make_channel() -> tuple[Channel, Channel]:
    """Both ends; it does not matter who has which."""
    ours, theirs = socket.socketpair()
    return Channel(ours), Channel(theirs)
