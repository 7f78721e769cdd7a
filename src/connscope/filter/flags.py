"""What ``is:`` asks: short names for conditions that people need often.

The other end is loopback, private or external by its address alone. Private is what is never routed
in the Internet: RFC 1918, 4193 and 6598, and the addresses of a link. External is what is neither
that nor loopback, nor all or many hosts, nor none.
"""

from __future__ import annotations

from connscope.filter.condition import Among, Condition, Knows, Not, Own, every, some
from connscope.filter.text_condition import ADDRESS_COLUMNS, InNetwork
from connscope.row.address import parse_network
from connscope.row.words import Group, Kind, State

__all__ = ("FLAGS", "FLAGS_WITH_OWN")

LOOPBACK = ("127.0.0.0/8", "::1")
PRIVATE = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"),
    *("fc00::/7", "fe80::/10"),
)
NO_HOST = ("0.0.0.0/8", "224.0.0.0/4", "255.255.255.255", "::", "ff00::/8")
LOCAL, PEER = ADDRESS_COLUMNS


def _kind(kind: Kind) -> Condition:
    return Among("kind", ((kind.value, kind.value),))


def _in(networks: tuple[str, ...], *columns: str) -> Condition:
    return some(
        *(InNetwork(column, parse_network(text)) for column in columns for text in networks)
    )


ENDS = Knows(Group.ENDS)

FLAGS: dict[str, Condition] = {
    "listening": some(
        _kind(Kind.LISTENING), every(ENDS, Among("state", ((State.LISTEN.value,) * 2,)))
    ),
    "failed": _kind(Kind.FAILED),
    "idle": _kind(Kind.IDLE),
    "loopback": every(ENDS, _in(LOOPBACK, LOCAL, PEER)),
    "private": every(ENDS, _in(PRIVATE, PEER)),
    "external": every(ENDS, Not(_in((*LOOPBACK, *PRIVATE, *NO_HOST), PEER))),
}
"""By name. What needs more than a row, such as is:new, is no flag."""

FLAGS_WITH_OWN: dict[str, Condition] = {**FLAGS, "own": Own()}
"""For whoever knows which connections are connscope's own."""
