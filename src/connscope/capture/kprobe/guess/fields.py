"""The fields of the kernel's structures that the kprobe tier reads, in the order of the guess.

The first ones are tcptracer-bpf's, in its order; then what a row needs beyond them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ("FIELDS", "Field", "Part", "Pick")

COMMON_LIMIT = 400
"""How far from the start of a socket the fields are that any socket has; tcptracer-bpf's limit."""

SOCKET_LIMIT = 4096
TASK_LIMIT = 8192
FOLLOWED_LIMIT = 1024


class Part(StrEnum):
    """Which memory a field is in."""

    SOCKET = "socket"
    NET = "net"
    """What the pointer `netns` of a socket leads to."""

    TASK = "task"
    FILE = "file"
    FILE_SOCKET = "file socket"
    """What the pointer `file_socket` of a file leads to."""


class Pick(StrEnum):
    """What to make of several places that are right every time."""

    ONLY = "only"
    """They stay in doubt: the field is not found."""

    FIRST = "first"
    """The kernel keeps copies further behind, in the route's key for example."""

    LAST = "last"


@dataclass(frozen=True, slots=True)
class Field:
    """One field, or the pointer that leads to another one.

    Attributes:
        name: as in ``bpf/kprobe_fields.bpf.h``, with ``at_`` before it.
        width: bytes.
        part: the memory it is in.
        btf: the struct of the kernel that has it, and the path of members that leads there.
        limit: no place behind that is tried.
        step: between the places that are tried: the alignment.
        pick: of several places.
        required: whether a row without it would say nothing.
        leads_to: of a pointer, the part behind it; both are found together.
        family: 6: no such field without IPv6.
        varies: whether two connections with values that differ are needed to confirm it.
    """

    name: str
    width: int
    part: Part
    btf: tuple[str, ...]
    limit: int = COMMON_LIMIT
    step: int = 0
    pick: Pick = Pick.ONLY
    required: bool = True
    leads_to: Part | None = None
    family: int = 0
    varies: bool = True

    @property
    def alignment(self) -> int:
        """Between the places that are tried."""
        return self.step or self.width


def _common(name: str, width: int, member: str, **more: object) -> Field:
    return Field(name, width, Part.SOCKET, ("sock_common", member), **more)  # type: ignore[arg-type]


def _tcp(name: str, width: int, *path: str, required: bool = True, pick: Pick = Pick.ONLY) -> Field:
    return Field(name, width, Part.SOCKET, path, limit=SOCKET_LIMIT, required=required, pick=pick)


def _task(name: str, width: int, member: str, pick: Pick = Pick.ONLY) -> Field:
    path = ("task_struct", member)
    return Field(name, width, Part.TASK, path, TASK_LIMIT, required=False, pick=pick)


FIELDS: tuple[Field, ...] = (
    _common("saddr", 4, "skc_rcv_saddr", pick=Pick.FIRST),
    _common("daddr", 4, "skc_daddr", pick=Pick.FIRST),
    _common("family", 2, "skc_family", pick=Pick.FIRST, varies=False),
    _tcp("sport", 2, "inet_sock", "inet_sport", pick=Pick.FIRST),
    _common("dport", 2, "skc_dport", pick=Pick.FIRST),
    _common("netns", 8, "skc_net", leads_to=Part.NET, pick=Pick.FIRST),
    Field(
        "netns_inode", 4, Part.NET, ("net", "ns", "inum"), FOLLOWED_LIMIT, pick=Pick.FIRST,
        varies=False,
    ),
    _common("daddr_v6", 16, "skc_v6_daddr", step=4, pick=Pick.FIRST, family=6),
    # Beyond tcptracer-bpf.
    _common("saddr_v6", 16, "skc_v6_rcv_saddr", step=4, pick=Pick.FIRST, family=6),
    _common("num", 2, "skc_num", pick=Pick.FIRST),
    _common("state", 1, "skc_state", pick=Pick.FIRST),
    _common("cookie", 8, "skc_cookie", pick=Pick.FIRST),
    _common("flags", 8, "skc_flags"),
    _tcp("error", 4, "sock", "sk_err"),
    _tcp("shutdown", 1, "sock", "sk_shutdown", required=False),
    _tcp("uid", 4, "sock", "sk_uid", required=False),
    _tcp("backlog", 4, "sock", "sk_ack_backlog", required=False),
    _tcp("backlog_max", 4, "sock", "sk_max_ack_backlog", required=False),
    _tcp("write_seq", 4, "tcp_sock", "write_seq"),
    _tcp("snd_nxt", 4, "tcp_sock", "snd_nxt"),
    _tcp("snd_una", 4, "tcp_sock", "snd_una"),
    _tcp("rcv_nxt", 4, "tcp_sock", "rcv_nxt"),
    _tcp("copied_seq", 4, "tcp_sock", "copied_seq"),
    _tcp("bytes_acked", 8, "tcp_sock", "bytes_acked"),
    _tcp("bytes_received", 8, "tcp_sock", "bytes_received"),
    _tcp("bytes_sent", 8, "tcp_sock", "bytes_sent", required=False),
    _tcp("bytes_retrans", 8, "tcp_sock", "bytes_retrans", required=False),
    _tcp("segs_in", 4, "tcp_sock", "segs_in", required=False),
    _tcp("segs_out", 4, "tcp_sock", "segs_out", required=False),
    _tcp("total_retrans", 4, "tcp_sock", "total_retrans", required=False),
    _tcp("srtt", 4, "tcp_sock", "srtt_us", required=False),
    _tcp("mdev", 4, "tcp_sock", "mdev_us", required=False),
    # Of the three samples that the kernel keeps the first is the smallest.
    _tcp("min_rtt", 4, "tcp_sock", "rtt_min", "s", "v", required=False, pick=Pick.FIRST),
    _task("task_flags", 4, "flags"),
    _task("task_comm", 16, "comm"),
    # start_time stands before it, and is the same if the machine never slept.
    _task("task_start", 8, "start_boottime", Pick.LAST),
    Field("task_leader", 8, Part.TASK, ("task_struct", "group_leader"), TASK_LIMIT,
          required=False, varies=False),
    Field(
        "file_socket", 8, Part.FILE, ("file", "private_data"), required=False,
        leads_to=Part.FILE_SOCKET, pick=Pick.FIRST,
    ),
    Field(
        "socket_sock", 8, Part.FILE_SOCKET, ("socket", "sk"), FOLLOWED_LIMIT, required=False,
        pick=Pick.FIRST, varies=False,
    ),
)  # fmt: skip
