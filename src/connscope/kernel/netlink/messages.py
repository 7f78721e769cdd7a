"""Netlink messages to columns: as arrays, not message by message."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from connscope.errors import FailedError
from connscope.kernel.netlink.layout import HEADER_BYTES

__all__ = ("Attribute", "Layout", "Messages", "Words", "find_messages", "layouts")

NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_DUMP_INTR = 0x10
HEADER_WORDS = HEADER_BYTES // 4
ATTRIBUTE_TYPE = 0x3FFF  # the two other bits say how the content is to be read
FIRST_WINDOW, WINDOW_GROWTH = 32, 8

Words = npt.NDArray[np.uint32]
Path = tuple[int, ...]


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

    @property
    def kinds(self) -> npt.NDArray[np.uint32]:
        """The type of each."""
        found: npt.NDArray[np.uint32] = self.words[self.starts + 1] & np.uint32(0xFFFF)
        return found


def find_messages(
    words: Words, sequence: int | None = None, kind: int | tuple[int, ...] = ()
) -> Messages:
    """Finds the messages of a buffer that are of some kind.

    Args:
        words: messages one behind the other, each from a word's beginning, as netlink has them.
        sequence: of the request that they answer; others are left out. None takes all.
        kind: the type, or types, of the wanted ones.

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
    is_wanted = ours & (kinds == kind if isinstance(kind, int) else np.isin(kinds, kind))
    return Messages(
        words,
        starts[is_wanted],
        lengths[is_wanted],
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
        raise FailedError("netlink", f"the kernel says {text}", code if is_known else 0)


def _not_netlink(what: str) -> FailedError:
    return FailedError("netlink", f"the kernel's answer can not be read: {what}")


class Attribute(NamedTuple):
    """One attribute of a message.

    Attributes:
        path: its type, behind those of the attributes that it is in.
        word: where its header is in the message.
        header: its type and length, as they stand there.
        length: of its content, in bytes.
    """

    path: Path
    word: int
    header: int
    length: int

    @property
    def begin(self) -> int:
        """Where its content begins in the message, in bytes."""
        return self.word * 4 + 4


class Layout(NamedTuple):
    """Messages that have the same attributes in the same places.

    Attributes:
        matrix: a row for each.
        attributes: of all of them.
        chosen: which of the messages they are.
    """

    matrix: Words
    attributes: list[Attribute]
    chosen: npt.NDArray[np.int64]


def layouts(
    messages: Messages, body_bytes: int, nests: frozenset[Path] = frozenset()
) -> Iterator[Layout]:
    """All messages by what they look like.

    Messages of one length are one matrix; where its rows have their attributes in the same places,
    which they mostly have, each attribute is one copy for all of them.

    Args:
        messages: as found.
        body_bytes: what stands before the attributes, with the header.
        nests: the attributes that hold others which are wanted.

    Raises:
        FailedError: a message is shorter than it has to be, or its attributes do not fit into it.
    """
    for length in np.unique(messages.lengths).tolist():
        if length < body_bytes:
            raise _not_netlink(f"a message of {length} bytes")
        chosen = np.flatnonzero(messages.lengths == length)
        matrix = _matrix(messages.words, messages.starts[chosen], (length + 3) // 4)
        while len(chosen):
            attributes = list(_attributes(matrix[0], body_bytes // 4, length, (), nests))
            same = _has_attributes(matrix, attributes)
            if same.all():
                yield Layout(matrix, attributes, chosen)
                break
            yield Layout(matrix[same], attributes, chosen[same])
            matrix, chosen = matrix[~same], chosen[~same]


def _matrix(words: Words, starts: npt.NDArray[np.int64], width: int) -> Words:
    """One row for each message; no copy if they stand one behind the other."""
    first, last = int(starts[0]), int(starts[-1])
    if last - first == (len(starts) - 1) * width:
        return words[first : last + width].reshape(-1, width)
    found: Words = words[starts[:, None] + np.arange(width)]
    return found


def _attributes(
    message: Words, at: int, end: int, path: Path, nests: frozenset[Path]
) -> Iterator[Attribute]:
    """Those from a word to a byte, each before what it holds."""
    while at * 4 + 4 <= end:
        header = int(message[at])
        size = header & 0xFFFF
        if size < 4 or at * 4 + size > end:
            raise _not_netlink(f"an attribute of {size} bytes at {at * 4} of {end}")
        found = Attribute((*path, header >> 16 & ATTRIBUTE_TYPE), at, header, size - 4)
        yield found
        if found.path in nests:
            yield from _attributes(message, at + 1, at * 4 + size, found.path, nests)
        at += (size + 3) // 4


def _has_attributes(matrix: Words, attributes: list[Attribute]) -> npt.NDArray[np.bool_]:
    """Which rows have exactly these: the same headers in the same places leave no room for more."""
    same = np.ones(len(matrix), bool)
    for attribute in attributes:
        same &= matrix[:, attribute.word] == attribute.header
    return same
