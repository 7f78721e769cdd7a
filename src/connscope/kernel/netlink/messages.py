"""Netlink messages to columns: as arrays, not message by message."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from connscope.errors import FailedError
from connscope.kernel.netlink.layout import (
    DIAG,
    HEADER_BYTES,
    INFO,
    INFO_OFFSETS,
    SOCKET,
    Sockets,
)

__all__ = ("Messages", "find_messages", "parse_sockets")

NLMSG_ERROR, NLMSG_DONE = 2, 3
SOCK_DIAG_BY_FAMILY = 20
NLM_F_DUMP_INTR = 0x10
HEADER_WORDS = HEADER_BYTES // 4
BODY_WORDS = HEADER_WORDS + DIAG.itemsize // 4

INET_DIAG_INFO, INET_DIAG_SHUTDOWN, INET_DIAG_ULP_INFO, INET_DIAG_CGROUP_ID = 2, 8, 19, 21
ATTRIBUTE_TYPE = 0x3FFF  # the two other bits say how the content is to be read
ULP_NAME = np.frombuffer(b"mptcp\0", np.uint8)
ULP_NAME_AT = 8  # in INET_DIAG_ULP_INFO: its own header, and that of the name, which comes first

DIAG_AT = SOCKET.fields["diag"][1] if SOCKET.fields else 0
INFO_FIELDS = tuple(zip(INFO.names or (), INFO_OFFSETS, strict=True))
FIRST_WINDOW, WINDOW_GROWTH = 32, 8

Words = npt.NDArray[np.uint32]


class Messages(NamedTuple):
    """Where the messages are, as `find_messages` found them.

    Attributes:
        words: the buffer, as words of four bytes.
        starts: where each begins, in words.
        lengths: of each, in bytes, with its header.
        is_done: a dump ends in here.
        is_interrupted: the kernel says that the dump is not consistent.
    """

    words: Words
    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    is_done: bool
    is_interrupted: bool


def find_messages(words: Words, sequence: int | None = None) -> Messages:
    """Finds the sock_diag messages of a buffer.

    Args:
        words: messages one behind the other, each from a word's beginning, as netlink has them.
        sequence: of the request that they answer; others are left out. None takes all.

    Raises:
        FailedError: one of them is the kernel's refusal, with its errno; or this is no netlink.
    """
    starts, lengths = _walk(words)
    kinds = words[starts + 1] & 0xFFFF
    flags = words[starts + 1] >> 16
    ours = np.ones(len(starts), bool) if sequence is None else words[starts + 2] == sequence
    is_end = (kinds == NLMSG_ERROR) | (kinds == NLMSG_DONE)
    for start, length in zip(
        starts[ours & is_end].tolist(), lengths[ours & is_end].tolist(), strict=True
    ):
        _raise_refusal(words, start, length)
    is_socket = ours & (kinds == SOCK_DIAG_BY_FAMILY)
    return Messages(
        words,
        starts[is_socket],
        lengths[is_socket],
        bool((ours & is_end).any()),
        bool((ours & (flags & NLM_F_DUMP_INTR != 0)).any()),
    )


def _walk(words: Words) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where messages begin, and their lengths in bytes, run by run of equal ones."""
    runs = list[npt.NDArray[np.int64]]()
    run_lengths = list[int]()
    at = 0
    while at < len(words):
        length = int(words[at])
        stride = (length + 3) // 4
        if length < HEADER_BYTES or at + stride > len(words):
            raise _not_netlink(f"a message of {length} bytes at {at * 4} of {len(words) * 4}")
        count = _count_equal(words[at:], length, stride)
        runs.append(np.arange(at, at + count * stride, stride))
        run_lengths.append(length)
        at += count * stride
    if not runs:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate(runs), np.repeat(run_lengths, [len(run) for run in runs])


def _count_equal(words: Words, length: int, stride: int) -> int:
    """How many messages of this length stand one behind the other here.

    The next place is looked at only if all before it are messages of this length. A window that
    grows keeps a buffer of ever other lengths from being read to its end for each of them.
    """
    most = len(words) // stride
    places = words[: most * stride : stride]
    count, window = 1, FIRST_WINDOW
    while count < most:
        differs = places[count : count + window] != length
        if differs.any():
            return count + int(differs.argmax())
        count, window = count + len(differs), window * WINDOW_GROWTH
    return count


def _raise_refusal(words: Words, start: int, length: int) -> None:
    """NLMSG_ERROR and NLMSG_DONE carry a negative errno, or 0."""
    code = -int(words[start + HEADER_WORDS].view(np.int32)) if length >= HEADER_BYTES + 4 else 0
    if code:
        is_known = code in errno.errorcode
        text = f"{errno.errorcode[code]}: {os.strerror(code)}" if is_known else f"error {code}"
        raise FailedError("sock_diag", f"the kernel says {text}", code if is_known else 0)


def _not_netlink(what: str) -> FailedError:
    return FailedError("sock_diag", f"the kernel's answer can not be read: {what}")


def parse_sockets(messages: Messages) -> Sockets:
    """One `SOCKET` for each message, in their order.

    Messages of one length are one matrix; where its rows have their attributes in the same places,
    which they mostly have, each is one copy for all of them.

    Raises:
        FailedError: a message is shorter than it has to be, or its attributes do not fit into it.
    """
    sockets = np.zeros(len(messages.starts), SOCKET)
    for length in np.unique(messages.lengths).tolist():
        if length < BODY_WORDS * 4:
            raise _not_netlink(f"a socket of {length} bytes")
        chosen = np.flatnonzero(messages.lengths == length)
        matrix = _matrix(messages.words, messages.starts[chosen], (length + 3) // 4)
        while len(chosen):
            attributes = _attributes(matrix[0], length)
            same = _has_attributes(matrix, attributes)
            if same.all():
                _copy(matrix, attributes, chosen, sockets)
                break
            _copy(matrix[same], attributes, chosen[same], sockets)
            matrix, chosen = matrix[~same], chosen[~same]
    return sockets


def _matrix(words: Words, starts: npt.NDArray[np.int64], width: int) -> Words:
    """One row for each message; no copy if they stand one behind the other."""
    first, last = int(starts[0]), int(starts[-1])
    if last - first == (len(starts) - 1) * width:
        return words[first : last + width].reshape(-1, width)
    found: Words = words[starts[:, None] + np.arange(width)]
    return found


class _Attribute(NamedTuple):
    kind: int
    word: int
    """Where its header is in the message."""
    header: int
    length: int
    """Of its content, in bytes."""


def _attributes(message: Words, length: int) -> list[_Attribute]:
    found, at = list[_Attribute](), BODY_WORDS
    while at * 4 + 4 <= length:
        header = int(message[at])
        size = header & 0xFFFF
        if size < 4 or at * 4 + size > length:
            raise _not_netlink(f"an attribute of {size} bytes at {at * 4} of {length}")
        found.append(_Attribute(header >> 16 & ATTRIBUTE_TYPE, at, header, size - 4))
        at += (size + 3) // 4
    return found


def _has_attributes(matrix: Words, attributes: list[_Attribute]) -> npt.NDArray[np.bool_]:
    """Which rows have exactly these: the same headers in the same places leave no room for more."""
    same = np.ones(len(matrix), bool)
    for attribute in attributes:
        same &= matrix[:, attribute.word] == attribute.header
    return same


def _copy(
    matrix: Words, attributes: list[_Attribute], chosen: npt.NDArray[np.int64], sockets: Sockets
) -> None:
    """Fills the chosen sockets from the rows of the matrix."""
    if len(chosen) == len(sockets):
        _fill(matrix, attributes, sockets)
        return
    found = np.zeros(len(chosen), SOCKET)
    _fill(matrix, attributes, found)
    sockets[chosen] = found


def _fill(matrix: Words, attributes: list[_Attribute], sockets: Sockets) -> None:
    here, there = matrix.view(np.uint8), sockets.view(np.uint8).reshape(len(sockets), -1)
    there[:, DIAG_AT : DIAG_AT + DIAG.itemsize] = here[:, HEADER_BYTES : BODY_WORDS * 4]
    for kind, word, _, length in attributes:
        begin = word * 4 + 4
        if kind == INET_DIAG_INFO:
            _fill_info(here[:, begin : begin + length], sockets)
        elif kind == INET_DIAG_CGROUP_ID and length == 8:
            sockets["cgroup_id"] = here[:, begin : begin + 8].view(np.uint64)[:, 0]
        elif kind == INET_DIAG_SHUTDOWN and length:
            sockets["shutdown"] = here[:, begin]
        elif kind == INET_DIAG_ULP_INFO and length >= ULP_NAME_AT - 4 + len(ULP_NAME):
            name = begin - 4 + ULP_NAME_AT
            sockets["is_mptcp"] = (here[:, name : name + len(ULP_NAME)] == ULP_NAME).all(axis=1)


def _fill_info(content: npt.NDArray[np.uint8], sockets: Sockets) -> None:
    """As many fields as came: ``tcp_info`` grows at its end."""
    info, length = sockets["info"], content.shape[1]
    for name, offset in INFO_FIELDS:
        kind = INFO[name]
        if offset + kind.itemsize <= length:
            info[name] = content[:, offset : offset + kind.itemsize].view(kind)[:, 0]
    sockets["info_bytes"] = length
