"""Netlink messages as the kernel would send them, made by hand."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from connscope.kernel.netlink.layout import INFO, INFO_HAS_BYTES_SENT, INFO_OFFSETS

SOCK_DIAG, ERROR, DONE = 20, 2, 3
CODES = {4: "I", 8: "Q"}


def message(kind: int, content: bytes, *, flags: int = 2, sequence: int = 1) -> bytes:
    """A header and what follows, filled up to a whole word."""
    length = 16 + len(content)
    return struct.pack("=IHHII", length, kind, flags, sequence, 0) + content + bytes(-length % 4)


def attribute(kind: int, content: bytes) -> bytes:
    """One netlink attribute."""
    length = 4 + len(content)
    return struct.pack("=HH", length, kind) + content + bytes(-length % 4)


def tcp_info(length: int = 280, **fields: int) -> bytes:
    """``struct tcp_info`` with those fields of `INFO`, cut to a length."""
    content = bytearray(max(length, INFO_HAS_BYTES_SENT))
    for name, offset in zip(INFO.names or (), INFO_OFFSETS, strict=True):
        code = CODES[INFO[name].itemsize]
        struct.pack_into(f"={code}", content, offset, fields.get(name, 0))
    return bytes(content[:length])


def socket_message(
    *attributes: bytes, cookie: int = 1, state: int = 1, inode: int = 7, sequence: int = 1
) -> bytes:
    """A connection from 10.0.0.1:1000 to 10.0.0.2:2000."""
    body = struct.pack("=BBBB", 2, state, 0, 0) + struct.pack(">HH", 1000, 2000)
    body += bytes((10, 0, 0, 1)).ljust(16, b"\0") + bytes((10, 0, 0, 2)).ljust(16, b"\0")
    body += struct.pack("=III", 0, cookie & 0xFFFFFFFF, cookie >> 32)
    body += struct.pack("=5I", 0, 3, 4, 1001, inode)
    return message(SOCK_DIAG, body + b"".join(attributes), sequence=sequence)


def done(code: int = 0, sequence: int = 1) -> bytes:
    """The end of a dump."""
    return message(DONE, struct.pack("=i", code), sequence=sequence)


def words(*messages: bytes) -> NDArray[np.uint32]:
    """A buffer with these in it."""
    return np.frombuffer(b"".join(messages), np.uint32)
