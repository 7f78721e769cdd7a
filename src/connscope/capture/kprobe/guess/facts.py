"""What the kernel itself says of a socket of ours, under the names of the fields it comes from."""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
from contextlib import suppress

from connscope.capture.kprobe.guess.candidates import Fact, equal
from connscope.row.words import State

__all__ = (
    "INFO",
    "SACKED_AT",
    "STATE_AT",
    "UNACKED_AT",
    "counters_of",
    "facts_of",
    "number_at",
    "reports_of",
)

SO_COOKIE = 57
TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
RECEIVE_QUEUE, SEND_QUEUE = 1, 2
REPAIR_ON, REPAIR_OFF_SILENTLY = 1, -1
SIOCINQ, SIOCOUTQ, SIOCOUTQNSD = 0x541B, 0x5411, 0x894B

# struct tcp_info of linux/tcp.h: places of what we compare with.
INFO_BYTES = 256
INFO = {"total_retrans": (100, 4), "bytes_acked": (120, 8), "bytes_received": (128, 8),
        "segs_out": (136, 4), "segs_in": (140, 4), "min_rtt": (148, 4), "bytes_sent": (200, 8),
        "bytes_retrans": (208, 8)}  # fmt: skip
STATE_AT, UNACKED_AT, SACKED_AT, RTT_AT, RTT_VAR_AT = 0, 24, 28, 68, 72
NO_SAMPLE = 0xFFFFFFFF


def reports_of(asked: socket.socket) -> bytes:
    """What the kernel reports of a TCP socket; the call that the probe waits for."""
    return asked.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO_BYTES)


def facts_of(asked: socket.socket, told: dict[str, Fact]) -> dict[str, Fact]:
    """All that is known of a socket at this moment but for what is counted.

    Args:
        asked: the socket.
        told: what whoever made it knows, which wins.
    """
    facts = dict(told)
    facts |= _facts_of_ends(asked)
    info = reports_of(asked)
    state = info[STATE_AT]
    facts["state"] = equal(state)
    if state == State.CLOSE:  # it has given its port back, and only the kernel's copy is left
        facts.pop("num", None)
    cookie = asked.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8)
    facts["cookie"] = equal(int.from_bytes(cookie, sys.byteorder))
    facts.setdefault("error", equal(0))
    facts.setdefault("shutdown", Fact(0, 0, 3))
    if state != State.LISTEN:
        facts |= {"backlog": equal(0), "backlog_max": equal(0)}
    if state in (State.ESTABLISHED, State.CLOSE_WAIT, State.SYN_SENT):
        facts |= _facts_of_sequence(asked, state)
    return facts


def _facts_of_ends(asked: socket.socket) -> dict[str, Fact]:
    name = asked.getsockname()
    facts = {"num": equal(name[1])} if name[1] else {}
    if asked.family == socket.AF_INET6:
        return facts
    facts |= {
        "saddr": equal(_u32(socket.inet_aton(name[0]))),
        "family": equal(socket.AF_INET),
        "sport": equal(socket.htons(name[1])),
    }
    with suppress(OSError):  # it is not connected
        peer = asked.getpeername()
        facts |= {
            "daddr": equal(_u32(socket.inet_aton(peer[0]))),
            "dport": equal(socket.htons(peer[1])),
        }
    return facts


def counters_of(info: bytes) -> dict[str, Fact]:
    """What is counted, by a report: that of the very call in which the memory was seen, because an
    acknowledgement may leave at any time."""
    if info[STATE_AT] not in (State.ESTABLISHED, State.CLOSE_WAIT, State.SYN_SENT):
        return {}
    facts = {
        name: equal(number_at(info, at, width))
        for name, (at, width) in INFO.items()
        if len(info) >= at + width
    }
    if facts.get("min_rtt") == equal(NO_SAMPLE):
        return facts
    for name, at, shift in (("srtt", RTT_AT, 3), ("mdev", RTT_VAR_AT, 2)):
        low = number_at(info, at, 4) << shift
        facts[name] = Fact(low, low + (1 << shift) - 1)
    return facts


def _facts_of_sequence(asked: socket.socket, state: int) -> dict[str, Fact]:
    """The numbers that only a socket in repair tells; what waits gives those in between."""
    tcp = socket.IPPROTO_TCP
    try:
        asked.setsockopt(tcp, TCP_REPAIR, REPAIR_ON)
        asked.setsockopt(tcp, TCP_REPAIR_QUEUE, SEND_QUEUE)
        written = asked.getsockopt(tcp, TCP_QUEUE_SEQ) & 0xFFFFFFFF
        asked.setsockopt(tcp, TCP_REPAIR_QUEUE, RECEIVE_QUEUE)
        received = asked.getsockopt(tcp, TCP_QUEUE_SEQ) & 0xFFFFFFFF
    finally:
        with suppress(OSError):
            asked.setsockopt(tcp, TCP_REPAIR, REPAIR_OFF_SILENTLY)
    if state == State.SYN_SENT:
        return {"write_seq": equal(written), "snd_nxt": equal(written),
                "snd_una": equal(written - 1 & 0xFFFFFFFF)}  # fmt: skip
    # The peer's FIN has a number too, and is never read.
    unread = _asks(asked, SIOCINQ) + (state == State.CLOSE_WAIT)
    return {
        "write_seq": equal(written),
        "snd_nxt": equal(written - _asks(asked, SIOCOUTQNSD) & 0xFFFFFFFF),
        "snd_una": equal(written - _asks(asked, SIOCOUTQ) & 0xFFFFFFFF),
        "rcv_nxt": equal(received),
        "copied_seq": equal(received - unread & 0xFFFFFFFF),
    }


def _asks(asked: socket.socket, request: int) -> int:
    return int(struct.unpack("i", fcntl.ioctl(asked, request, bytes(4)))[0])


def _u32(packed: bytes) -> int:
    return int.from_bytes(packed, sys.byteorder)


def number_at(info: bytes, at: int, width: int) -> int:
    """A number of a report."""
    return int.from_bytes(info[at : at + width], sys.byteorder)
