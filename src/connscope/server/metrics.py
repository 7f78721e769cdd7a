"""How the server itself is doing, as text that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable

import connscope
from connscope.server.state import Server

__all__ = ("metrics_text",)

OUTCOMES = {
    204: "taken",
    403: "foreign",
    408: "too_slow",
    409: "gap",
    413: "too_large",
    422: "invalid",
    429: "too_often",
}


def metrics_text(server: Server) -> str:
    """All metrics."""
    live, clock_s = server.live, server.clock()
    silent = sum(clock_s - host.seen_s > live.window.window_s for host in live.hosts)
    behind = sum(host.behind_s > 0 for host in live.hosts)
    reports = [
        (f'{{outcome="{name}"}}', server.intake.outcomes[status])
        for status, name in OUTCOMES.items()
    ]
    lost = sum(host.health.lost + host.view.missed for host in live.hosts)
    families: tuple[tuple[str, str, str, Iterable[tuple[str, float]]], ...] = (
        ("build_info", "gauge", "The version.", [(f'{{version="{connscope.__version__}"}}', 1)]),
        ("reports_total", "counter", "Reports by what became of them.", reports),
        ("report_bytes_total", "counter", "Bytes of reports.", [("", server.intake.bytes)]),
        ("hosts", "gauge", "Hosts that ever reported.", [("", len(live.hosts))]),
        ("hosts_silent", "gauge", "Hosts that did not report for a window.", [("", silent)]),
        ("hosts_behind", "gauge", "Hosts that still send what waited.", [("", behind)]),
        ("rows", "gauge", "Connection ends and listeners in the window.", [("", live.window.used)]),
        ("lost_rows", "gauge", "Rows that agents say they lost.", [("", lost)]),
        ("viewers", "gauge", "Open feeds.", [("", server.viewers)]),
        ("topologies_total", "counter", "Topologies asked for.", [("", server.sights)]),
        ("topology_seconds_total", "counter", "Time they took.", [("", server.sight_s)]),
    )
    lines = list[str]()
    for name, kind, about, values in families:
        full = f"connscope_server_{name}"
        lines += [f"# HELP {full} {about}", f"# TYPE {full} {kind}"]
        lines += [f"{full}{labels} {value}" for labels, value in values]
    return "\n".join(lines) + "\n"
