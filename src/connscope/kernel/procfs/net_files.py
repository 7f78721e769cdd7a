"""Reads /proc/PID/net/{tcp,tcp6,udp,udp6} as columns.

The kernel writes each line in fixed fields up to the retransmits: many lines are one matrix of
characters. Only the number of the line before and uid, timeout and inode behind vary in width. A
line that is not as expected, such as one of a file cut short, is read by itself or counted.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from connscope.row.address import V4_PREFIX

__all__ = ("NET_SOCKET", "NetFile", "parse_net_file")

NET_SOCKET = np.dtype(
    [
        ("local_address", np.uint8, 16),
        ("peer_address", np.uint8, 16),
        ("inode", np.uint32),
        ("uid", np.uint32),
        ("tx_queue", np.uint32),
        ("rx_queue", np.uint32),
        ("local_port", np.uint16),
        ("peer_port", np.uint16),
        ("state", np.uint8),
        ("timer", np.uint8),
        ("family", np.uint8),
    ]
)
"""One line: addresses as on the wire with IPv4 as v4-mapped, the rest as the file says it.

`family` is 4 if an end is IPv4, also in tcp6: a v4-mapped socket is an IPv4 connection.
"""

Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

NEWLINE, SPACE, COLON, ZERO = 10, 32, 58, 48
NUMBER_WIDTH = 12  # of the line's own number, with the colon behind it
TAIL_WIDTH = 36  # uid, timeout and inode of ten digits each, and what separates them
DIGITS_MAX = 10
NO_NIBBLE = 255
NIBBLES = np.full(256, NO_NIBBLE, np.uint8)
for _text in (b"0123456789abcdef", b"0123456789ABCDEF"):
    NIBBLES[list(_text)] = range(16)


class NetFile(NamedTuple):
    """What a file said.

    Attributes:
        sockets: as `NET_SOCKET`, in the order of the file.
        malformed: how many lines made no sense.
    """

    sockets: npt.NDArray[Any]
    malformed: int


class _Layout:
    """Where the fixed fields of a line are, counted from behind the colon of its number."""

    def __init__(self, address_digits: int) -> None:
        fields = (address_digits, 4, address_digits, 4, 2, 8, 8, 2, 8, 8)
        text, self.fields = "", list[slice]()
        for separator, width in zip(" : :  : : ", fields, strict=True):
            begin = len(text) + 1
            self.fields.append(slice(begin, begin + width))
            text += separator + "F" * width
        text += " "
        self.width = len(text)
        self.template = np.frombuffer(text.encode(), np.uint8)
        self.is_hex = NIBBLES[self.template] != NO_NIBBLE
        hexes = [rf"([0-9A-Fa-f]{{{width}}})" for width in fields]
        local, local_port, peer, peer_port, state, tx, rx, timer, when, again = hexes
        self.line = re.compile(
            rf"[ 0-9]{{0,{NUMBER_WIDTH - 1}}}: {local}:{local_port} {peer}:{peer_port} {state} "
            rf"{tx}:{rx} {timer}:{when} {again} +([0-9]{{1,10}}) +[0-9]{{1,10}} +([0-9]{{1,10}})"
            r"(?: .*)?".encode(),
            re.DOTALL,
        )


LAYOUTS = {4: _Layout(8), 6: _Layout(32)}


def parse_net_file(text: bytes, family: int) -> NetFile:
    """Reads what one of the files says; nothing that is in it is an error.

    A last line without a newline was cut short: its inode may be, too, so it counts as malformed.

    Args:
        text: the whole file.
        family: 4 or 6, as the addresses in it are written.
    """
    layout = LAYOUTS[family]
    padding = bytes([NEWLINE]) * (NUMBER_WIDTH + layout.width + TAIL_WIDTH)
    characters = np.frombuffer(text + padding, np.uint8)
    ends = np.flatnonzero(characters[: len(text)] == NEWLINE)
    starts = np.concatenate((np.zeros(1, np.intp), ends[:-1] + 1))[: len(ends)]
    malformed = int(bool(text) and not text.endswith(b"\n"))
    if len(starts) and text[: ends[0]].lstrip().startswith(b"sl "):
        starts, ends = starts[1:], ends[1:]
    if not len(starts):
        return NetFile(np.empty(0, NET_SOCKET), malformed)
    sockets, good = _parse_lines(characters, starts, layout)
    odd = np.flatnonzero(~good)
    for at in odd.tolist():
        good[at] = _parse_odd_line(text[starts[at] : ends[at]], layout, sockets[at])
    found = sockets[good] if len(odd) else sockets
    return NetFile(_with_family(found, family), malformed + int(len(good) - good.sum()))


def _parse_lines(
    characters: Bytes, starts: npt.NDArray[np.intp], layout: _Layout
) -> tuple[npt.NDArray[Any], Mask]:
    """All lines, and which of them are as expected."""
    number = sliding_window_view(characters, NUMBER_WIDTH)[starts]
    is_colon = number == COLON
    colons = is_colon.argmax(axis=1)
    before = np.arange(NUMBER_WIDTH) < colons[:, np.newaxis]
    plain = (number == SPACE) | (number - np.uint8(ZERO) < DIGITS_MAX)
    good = is_colon.any(axis=1) & (plain | ~before).all(axis=1)
    windows = sliding_window_view(characters, layout.width + TAIL_WIDTH)
    lines = windows[starts + colons + 1]
    head, tail = lines[:, : layout.width], np.ascontiguousarray(lines[:, layout.width :].T)
    nibbles = NIBBLES[head]
    good &= ((nibbles != NO_NIBBLE) == layout.is_hex).all(axis=1)
    good &= ((head == layout.template) | layout.is_hex).all(axis=1)
    sockets = np.empty(len(starts), NET_SOCKET)
    _fill_hex(sockets, nibbles, layout)
    good &= _fill_decimals(sockets, tail)
    return sockets, good


def _fill_hex(sockets: npt.NDArray[Any], nibbles: Bytes, layout: _Layout) -> None:
    def octets(field: int) -> Bytes:
        digits = nibbles[:, layout.fields[field]]
        pairs: Bytes = (digits[:, 0::2] << np.uint8(4)) | digits[:, 1::2]
        return pairs

    for column, field in (("local_address", 0), ("peer_address", 2)):
        _fill_address(sockets[column], octets(field))
    for column, field in (("local_port", 1), ("peer_port", 3)):
        sockets[column] = octets(field).view(">u2")[:, 0]
    for column, field in (("tx_queue", 5), ("rx_queue", 6)):
        sockets[column] = octets(field).view(">u4")[:, 0]
    sockets["state"], sockets["timer"] = octets(4)[:, 0], octets(7)[:, 0]


def _fill_address(addresses: Bytes, octets: Bytes) -> None:
    """The file has each 32 bits as the number that the host takes them for."""
    on_the_wire = octets.view(">u4").astype(np.uint32).view(np.uint8)
    if on_the_wire.shape[1] == 16:
        addresses[:] = on_the_wire
    else:
        addresses[:, :12] = np.frombuffer(V4_PREFIX, np.uint8)
        addresses[:, 12:] = on_the_wire


def _fill_decimals(sockets: npt.NDArray[Any], tail: Bytes) -> Mask:
    """Uid and inode, of which word by word is known where they end; which lines are as expected.

    Args:
        sockets: where they go.
        tail: a row for each character, a column for each line.
    """
    digits = tail - np.uint8(ZERO)
    is_digit = digits < DIGITS_MAX
    begins = is_digit.copy()
    begins[1:] &= ~is_digit[:-1]
    words = begins.cumsum(axis=0, dtype=np.uint8)
    values = {1: np.zeros(tail.shape[1], np.uint64), 3: np.zeros(tail.shape[1], np.uint64)}
    for word, value in values.items():
        inside = is_digit & (words == word)
        for at in np.flatnonzero(inside.any(axis=1)).tolist():
            value[:] = np.where(inside[at], value * np.uint64(10) + digits[at], value)
    good: Mask = np.ones(tail.shape[1], np.bool_)
    for word in (1, 2, 3):
        good &= (is_digit & (words == word)).sum(axis=0) <= DIGITS_MAX
    after = (words >= 3) & ~is_digit
    end = after.argmax(axis=0)  # where the third word is over
    columns = np.arange(tail.shape[1])
    good &= after[end, columns] & np.isin(tail[end, columns], (SPACE, NEWLINE))
    strange = ~is_digit & (tail != SPACE)
    good &= ~(strange & (np.arange(len(tail))[:, np.newaxis] < end)).any(axis=0)
    for value in values.values():
        good &= value <= np.uint64(0xFFFFFFFF)
    sockets["uid"] = values[1].astype(np.uint32)
    sockets["inode"] = values[3].astype(np.uint32)
    return good


def _parse_odd_line(line: bytes, layout: _Layout, into: npt.NDArray[Any]) -> bool:
    """Reads one line by itself; False if it makes no sense."""
    found = layout.line.fullmatch(line)
    if found is None or max(int(found[11]), int(found[12])) > 0xFFFFFFFF:
        return False
    for column, group in (("local_address", 1), ("peer_address", 3)):
        octets = np.frombuffer(bytes.fromhex(found[group].decode()), np.uint8)
        _fill_address(into[column][np.newaxis], octets[np.newaxis])
    for column, group in (
        ("local_port", 2),
        ("peer_port", 4),
        ("state", 5),
        ("tx_queue", 6),
        ("rx_queue", 7),
        ("timer", 8),
    ):
        into[column] = int(found[group], 16)
    into["uid"], into["inode"] = int(found[11]), int(found[12])
    return True


def _with_family(sockets: npt.NDArray[Any], family: int) -> npt.NDArray[Any]:
    sockets["family"] = family
    if family == 6:
        prefix = np.frombuffer(V4_PREFIX, np.uint8)
        for column in ("local_address", "peer_address"):
            sockets["family"][(sockets[column][:, :12] == prefix).all(axis=1)] = 4
    return sockets
