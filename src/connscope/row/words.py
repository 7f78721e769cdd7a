"""The words of the enumerated columns; the numbers are those of ``bpf/row.h``.

The lower-case member name is the word in JSON, in SQL and on screens.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

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


class Kind(IntEnum):
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


class Tier(IntEnum):
    """The way of capture that a row came by, best first."""

    UNKNOWN = 0
    BTF = 1
    KPROBE = 2
    NETLINK = 3
    PROCFS = 4


class Protocol(IntEnum):
    """IANA protocol numbers."""

    TCP = 6
    UDP = 17


class Role(IntEnum):
    """Which side of the connection the local end is."""

    UNKNOWN = 0
    CLIENT = 1
    SERVER = 2


class State(IntEnum):
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


class OwnerEvidence(IntEnum):
    """Why we say that this process owns the connection. Connect and accept are proof."""

    UNKNOWN = 0
    CONNECT = 1
    ACCEPT = 2
    LISTENER = 3
    CLOSE = 4
    FD_TABLE = 5


class Failure(IntEnum):
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


class ClosedBy(IntEnum):
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
