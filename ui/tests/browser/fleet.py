# ruff: noqa: T201 it answers on the standard output
"""A server that a hundred made-up hosts of fifty processes report to; its address is printed.

Needs no rights. With PYTHONPATH=. from the tree; until the standard input ends.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.rigs.fleet import Fleet
from tests.unit.server.process import running

from connscope.report.encode import encode

HOSTS = 100
CONNECTIONS = 1000


def main() -> None:
    """A full report of each host, then one a second later."""
    fleet = Fleet(HOSTS, CONNECTIONS)
    with (
        tempfile.TemporaryDirectory(prefix="connscope-fleet-") as folder,
        running(Path(folder)) as server,
        server.client() as agents,
    ):
        for reports in (fleet.full(), fleet.second()):
            for report in reports:
                agents.post("/api/v1/reports", content=encode(report)).raise_for_status()
        print(server.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
