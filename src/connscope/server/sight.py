"""A view: what somebody wants to see, and what there is to be seen of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from connscope.server.describe import Described
from connscope.server.topology import Topology

__all__ = ("OWN", "ListenerOfNode", "Sight", "ViewOptions")

OWN = ("show", "hide")
"""What becomes of connscope's own connections; a filter that asks for them decides alone."""


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """What somebody wants to see; the names are those of the API, `own` is one of OWN."""

    group: str = "process"
    filter: str = ""
    limit: int = 300
    metric: str = "throughput"
    window_s: int = 15
    own: str = "show"


class ListenerOfNode(NamedTuple):
    """What a node listens on; the names are those of the API."""

    protocol: str
    address: str
    port: int
    clients: int


@dataclass(frozen=True, slots=True)
class Sight:
    """A topology in words.

    Attributes:
        options: what was asked.
        topology: numbers.
        nodes: the words of its nodes.
        listeners: of each of its nodes.
        time_ns: of when it is, the time of day.
    """

    options: ViewOptions
    topology: Topology
    nodes: list[Described]
    listeners: list[list[ListenerOfNode]]
    time_ns: int
