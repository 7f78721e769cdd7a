"""The words of the enumerated columns; the numbers are those of ``bpf/row.h``.

The lower-case member name is the word in JSON, in SQL and on screens. A number without a name, from
a newer program or kernel, is its own word: one such row must not end a stream.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Self, SupportsIndex

__all__ = (
    "ClosedBy",
    "Failure",
    "Group",
    "Kind",
    "OwnerEvidence",
    "Protocol",
    "Role",
    "State",
    "Tier",
    "word",
)


class Words(IntEnum):
    """Numbers that have a word each."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, SupportsIndex):
            return None
        number = value.__index__()
        member = int.__new__(cls, number)
        member._name_, member._value_ = str(number), number
        return member


class Kind(Words):
    """What a row says happened."""

    OPENED = 1
    ACCEPTED = 2
    FAILED = 3
    CLOSED = 4
    LISTENING = 5
    UNLISTENED = 6
    IDLE = 7
    SNAPSHOT = 8
    LOST = 9


class Tier(Words):
    """The way of capture that a row came by, best first."""

    UNKNOWN = 0
    BTF = 1
    KPROBE = 2
    NETLINK = 3
    PROCFS = 4


class Protocol(Words):
    """IANA protocol numbers."""

    TCP = 6
    UDP = 17


class Role(Words):
    """Which side of the connection the local end is."""

    UNKNOWN = 0
    CLIENT = 1
    SERVER = 2


class State(Words):
    """The kernel's TCP states, include/net/tcp_states.h."""

    ESTABLISHED = 1
    SYN_SENT = 2
    SYN_RECV = 3
    FIN_WAIT1 = 4
    FIN_WAIT2 = 5
    TIME_WAIT = 6
    CLOSE = 7
    CLOSE_WAIT = 8
    LAST_ACK = 9
    LISTEN = 10
    CLOSING = 11


class OwnerEvidence(Words):
    """Why we say that this process owns the connection. Connect and accept are proof."""

    UNKNOWN = 0
    CONNECT = 1
    ACCEPT = 2
    LISTENER = 3
    CLOSE = 4
    FD_TABLE = 5


class Failure(Words):
    """Why a connect did not succeed."""

    NONE = 0
    REFUSED = 1
    TIMEOUT = 2
    UNREACHABLE = 3
    RESET = 4
    NO_PORT = 5
    DENIED = 6
    ABANDONED = 7
    UNKNOWN = 8


class ClosedBy(Words):
    """Who ended the connection: sent the first FIN, or reset it."""

    UNKNOWN = 0
    LOCAL = 1
    PEER = 2
    LOCAL_RESET = 3
    PEER_RESET = 4
    TIMEOUT = 5


class Group(IntFlag):
    """Groups of columns; bits of `known` and `exact`."""

    IDENTITY = 1
    ENDS = 2
    OWNER = 4
    TRAFFIC = 8
    QUALITY = 16
    LIFE = 32
    JOIN = 64


def word(member: IntEnum | IntFlag) -> str:
    """The member's word: ``local_reset`` for `ClosedBy.LOCAL_RESET`."""
    return (member.name or "").lower()
