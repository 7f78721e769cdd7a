"""What the parts of a running server share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from connscope.config import Config
from connscope.server.access import Access
from connscope.server.intake import Intake
from connscope.server.live import Live
from connscope.server.sight import Sight, ViewOptions

__all__ = ("Server", "make_server")


@dataclass(slots=True)
class Server:
    """A server, without its sockets.

    Attributes:
        config: of connscope.
        access: who may ask.
        live: what is known.
        intake: where reports come in.
        clock: seconds that only go forward.
        wall: nanoseconds of the day.
        viewers: how many feeds are open.
        sights: how many topologies were computed or asked for.
        sight_s: how long that took.
        told: is called when a report was taken.
    """

    config: Config
    access: Access
    live: Live
    intake: Intake
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], int] = time.time_ns
    viewers: int = 0
    sights: int = 0
    sight_s: float = 0.0
    told: Callable[[], None] = lambda: None

    def sight(self, options: ViewOptions) -> Sight:
        """The topology of a view, as of this second.

        Raises:
            FilterError: its filter is none.
        """
        began = time.perf_counter()
        sight = self.live.sight(options, self.clock(), self.wall())
        took = time.perf_counter() - began
        self.sights, self.sight_s = self.sights + 1, self.sight_s + took
        return sight


def make_server(config: Config, access: Access) -> Server:
    """A server that knows nothing yet."""
    live = Live(config.window_s, config.server_hosts_max, config.server_forget_s)
    intake = Intake(live, config.server_report_bytes_max, config.server_reports_per_s)
    return Server(config, access, live, intake)
