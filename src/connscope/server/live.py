"""What is known now: the window, its connections, the groupings and views of it, kept up on demand.

Not for several threads. Time is passed in.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from connscope.filter import parse
from connscope.report.report import NO_IDS, Report
from connscope.report.view import Applied
from connscope.row.address import address_text
from connscope.row.columns import ROW
from connscope.row.words import Protocol, word
from connscope.server.describe import Described, describe
from connscope.server.grouping import NO_NODE, Grouping
from connscope.server.health import make_health
from connscope.server.host import Host
from connscope.server.hosts import Hosts
from connscope.server.keys import Integers
from connscope.server.lateness import is_late
from connscope.server.listeners import Listeners
from connscope.server.matching import Matching
from connscope.server.node_keys import GROUPS
from connscope.server.pairing import Pairing
from connscope.server.sight import OWN, ListenerOfNode, Sight, ViewOptions
from connscope.server.sums import Chosen, Scene, choose
from connscope.server.topology import summarize
from connscope.server.window import Window

__all__ = ("Live",)

NO_ROWS = np.zeros(0, ROW)
UNUSED_S = 60.0
FILTERS_KEPT = 64
SIGHTS_KEPT = 64
VIEWS_KEPT_UP = 8
FRESH_S, NEWS_S = 1.0, 0.1
"""A topology is made anew when it is so old; with news, so old."""

COST_SHARE = 10
"""With news, but not so often that it takes more than a tenth of the time."""

ASKED_S = 3.0
LISTENERS_OF_NODE = 64

Mask = npt.NDArray[np.bool_]


@dataclass(slots=True)
class _Look:
    """A sight, when it was taken, and when somebody asked for it last."""

    sight: Sight
    at_s: float
    reports: int
    took_s: float
    asked_s: float = 0.0

    def is_wanted(self, now_s: float) -> bool:
        """Somebody will ask again soon."""
        return now_s - self.asked_s < ASKED_S

    def is_old(self, now_s: float, reports: int) -> bool:
        """There is something new to see, or time has passed."""
        age_s = now_s - self.at_s
        has_news = reports != self.reports
        return age_s >= FRESH_S or (has_news and age_s >= max(NEWS_S, COST_SHARE * self.took_s))


class Live:
    """All that the server knows.

    Args:
        window_s: how long what has ended is kept.
        hosts_max: how many hosts may report.
        forget_s: after how long a silent host is forgotten.
    """

    def __init__(self, window_s: int, hosts_max: int, forget_s: float) -> None:
        self.window = Window(window_s)
        self.pairing = Pairing(self.window)
        self.listeners = Listeners(self.window, self.pairing)
        self.hosts = Hosts(hosts_max)
        self.reports = 0
        self._forget_s = forget_s
        self._groupings = dict[str, Grouping]()
        self._matchings = dict[str, Matching]()
        self._sights = dict[ViewOptions, _Look]()
        self._began_s: float | None = None

    def take(self, report: Report, now_s: float, wall_ns: int, age_s: float = 0.0) -> Applied:
        """Takes a report; of one that builds on what is missing, or is late, only what ended.

        Args:
            report: valid by itself; each id of its rows once.
            now_s: of a clock that only goes forward.
            wall_ns: the time of day.
            age_s: for how long it waited; late, it is a gap for those that follow.

        Raises:
            UsageError: it is of a new host, and there are too many.
        """
        look = report.look
        host = self.hosts.get(look.host_id) or self.hosts.make(look.host_id)
        late = is_late(age_s, self.window.window_s)
        # Nothing builds on itself: this is a gap whatever came before, and counted once.
        base = report.sequence if late else report.base
        bare = replace(report, base=base, open=NO_ROWS, ended=NO_ROWS, gone=NO_IDS)
        applied = host.view.apply(bare)
        if applied not in (Applied.APPLIED, Applied.GAP):
            return applied
        self._see(host, report, now_s, wall_ns, age_s)
        if host.own.note(report.names):
            self.window.mark_own(host)
        if applied is Applied.GAP:
            self.window.end(host, report.ended, now_s, late=late)
            host.behind_s = age_s if late else host.behind_s
        else:
            host.behind_s = 0.0
            self.window.apply(host, report, now_s)
        self._began_s = now_s if self._began_s is None else self._began_s
        self.reports += 1
        return applied

    def _see(self, host: Host, report: Report, now_s: float, wall_ns: int, age_s: float) -> None:
        look = report.look
        if host.boot_id != look.boot_id:
            self.window.forget(host, now_s)
            host.own.forget()
        host.boot_id, host.time_ns = look.boot_id, look.time_ns + round(age_s * 1e9)
        host.wall_minus_boottime_ns = look.wall_minus_boottime_ns
        host.seen_s, host.seen_at_ns = now_s, wall_ns
        host.silent = False
        self.hosts.rename(host, look.host_name)
        host.health = make_health(look, report.open, host.health)

    def advance(self, now_s: float) -> None:
        """Forgets what is over, and hosts that have been silent for long."""
        self.window.expire(now_s)
        for host in self.hosts:
            if len(host.slots) and now_s - host.seen_s > self._forget_s:
                self.window.forget(host, now_s)
                host.silent = True
                host.view = type(host.view)()
        for name, grouping in list(self._groupings.items()):
            if now_s - grouping.used_s > UNUSED_S:
                del self._groupings[name]

    def keep_up(self, now_s: float, wall_ns: int) -> None:
        """Takes in what came, and looks at what somebody looks at, so that nobody waits for it."""
        self.grouping(ViewOptions().group, now_s)
        self.listeners.now()
        asked = [(each, look) for each, look in self._sights.items() if look.is_wanted(now_s)]
        for options, look in asked[-VIEWS_KEPT_UP:]:
            self._sights[options] = self._look(options, now_s, wall_ns)
            self._sights[options].asked_s = look.asked_s

    def grouping(self, name: str, now_s: float) -> Grouping:
        """The grouping of that name, refreshed."""
        self.advance(now_s)
        self.pairing.refresh()
        grouping = self._groupings.get(name)
        if grouping is None:
            grouping = Grouping(GROUPS[name], self.window, self.pairing)
            self._groupings[name] = grouping
        grouping.used_s = now_s
        grouping.refresh()
        return grouping

    def mask(self, text: str, now_s: float) -> Mask | None:
        """Which slots a filter holds for; None: it is empty.

        Raises:
            FilterError: it is none.
        """
        matching = self._matching(text)
        return matching.mask(self.window, self.pairing, self.hosts, now_s) if matching else None

    def _matching(self, text: str) -> Matching | None:
        if not text.strip():
            return None
        matching = self._matchings.pop(text, None) or Matching(parse(text, own=True))
        self._matchings[text] = matching
        if len(self._matchings) > FILTERS_KEPT:
            del self._matchings[next(iter(self._matchings))]
        return matching

    def sight(self, options: ViewOptions, now_s: float, wall_ns: int) -> Sight:
        """The topology of a view, less than a second old, and with news hardly older than they
        are: one for all who want it.

        Raises:
            FilterError: its filter is none.
        """
        found = self._sights.pop(options, None)
        if found is None or found.is_old(now_s, self.reports):
            found = self._look(options, now_s, wall_ns)
        found.asked_s = now_s
        self._sights[options] = found
        if len(self._sights) > SIGHTS_KEPT:
            del self._sights[next(iter(self._sights))]
        return found.sight

    def _look(self, options: ViewOptions, now_s: float, wall_ns: int) -> _Look:
        began_s = time.perf_counter()
        grouping = self.grouping(options.group, now_s)
        chosen = self.choose(grouping, options.filter, now_s, options.own)
        sight = self._sight(options, grouping, chosen, now_s, wall_ns)
        return _Look(sight, now_s, self.reports, time.perf_counter() - began_s)

    def part(
        self,
        options: ViewOptions,
        grouping: Grouping,
        every: Chosen,
        slots: Integers,
        now_s: float,
        wall_ns: int,
    ) -> Sight:
        """The topology of some connections: all nodes and edges, `limit` has no meaning here."""
        speaks = np.zeros_like(every.speaks)
        speaks[slots] = True
        edge = grouping.edge_of[grouping.link[slots]]
        of_part = replace(every, slots=slots, edge=edge, speaks=speaks)
        whole = replace(options, limit=2 * len(slots) + 1)
        return self._sight(whole, grouping, of_part, now_s, wall_ns)

    def _sight(
        self, options: ViewOptions, grouping: Grouping, chosen: Chosen, now_s: float, wall_ns: int
    ) -> Sight:
        topology = summarize(
            self._scene(grouping),
            chosen,
            self.window.recent(now_s, options.window_s),
            metric=options.metric,
            limit=options.limit,
            seconds=self.seconds(options.window_s, now_s),
        )
        return Sight(
            options,
            topology,
            self.describe(grouping, topology.nodes),
            self._listeners_of(grouping, topology.nodes),
            wall_ns,
        )

    def choose(self, grouping: Grouping, text: str, now_s: float, own: str = OWN[0]) -> Chosen:
        """The connections that a filter holds for, each once; `own` is one of OWN."""
        matching = self._matching(text)
        asked = matching is not None and matching.asks_own
        return choose(self._scene(grouping), self.mask(text, now_s), own=asked or own == OWN[0])

    def describe(self, grouping: Grouping, nodes: npt.NDArray[np.integer]) -> list[Described]:
        """The words of nodes of a grouping, in their order."""
        return describe(grouping.nodes(nodes), grouping.is_ours(nodes), self.hosts)

    def _scene(self, grouping: Grouping) -> Scene:
        return Scene(self.window, self.pairing, grouping)

    def seconds(self, window_s: int, now_s: float) -> float:
        """How long we have watched, within a window: what rates are divided by."""
        watched = 1.0 if self._began_s is None else now_s - self._began_s
        return min(float(window_s), max(1.0, watched))

    def _listeners_of(self, grouping: Grouping, nodes: Integers) -> list[list[ListenerOfNode]]:
        """What each of the nodes listens on, each port and address once."""
        listening = self.listeners.now()
        place = np.full(grouping.node_count, NO_NODE, np.intp)
        place[nodes] = np.arange(len(nodes))
        places = place[grouping.own[listening.slots]]
        found: list[dict[ListenerOfNode, None]] = [{} for _ in nodes]
        some = np.flatnonzero(places >= 0)
        rows = self.window.rows[listening.slots[some]]
        for node, row, clients in zip(
            places[some].tolist(), rows, listening.clients[some].tolist(), strict=True
        ):
            protocol = word(Protocol(row["protocol"]))
            address = address_text(row["local_address"].tobytes())
            port = int(row["local_port"])
            if len(found[node]) < LISTENERS_OF_NODE:
                found[node][ListenerOfNode(protocol, address, port, clients)] = None
        return [sorted(each) for each in found]
