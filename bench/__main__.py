"""Measures every line of the table, or those named, and rewrites docs/benchmarks.md.

    python -m bench [--dry] [NAME…]

A name is that of a module in bench/lines. With names, or --dry, the page is left as it is. Those
that boot a virtual machine (kprobe, udp_ways) are measured only if they are named.
"""

from __future__ import annotations

import argparse
import sys
import time

from bench.lines import (
    agent,
    bulk,
    churn,
    completeness,
    kprobe,
    look,
    netlink,
    procfs,
    report,
    ring,
    server,
    start,
    syscalls,
    tracker,
    udp,
    udp_ways,
)
from bench.lines import filter as filter_line
from bench.page import write_page
from bench.result import Result

LINES = {
    "ring": ring.measure,
    "churn": churn.measure,
    "completeness": completeness.measure,
    "look": look.measure,
    "netlink": netlink.measure,
    "procfs": procfs.measure,
    "filter": filter_line.measure,
    "tracker": tracker.measure,
    "report": report.measure,
    "agent": agent.measure,
    "server": server.measure,
    "bulk": bulk.measure,
    "syscalls": syscalls.measure,
    "udp": udp.measure,
    "start": start.measure,
}


ALONE = {"kprobe": kprobe.measure, "udp_ways": udp_ways.measure}
"""Only if they are named: they boot a virtual machine."""


def main() -> int:
    """Runs; exit code 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--dry", action="store_true", help="only print")
    every = LINES | ALONE
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(every))
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(every)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(every)}")
    results = list[Result]()
    for name in arguments.names or LINES:
        began = time.monotonic()
        for result in every[name]():
            print(result, flush=True)
            results.append(result)
        print(f"      {name} took {time.monotonic() - began:.0f} s", file=sys.stderr)
    if not arguments.names and not arguments.dry:
        write_page(results)
    return 0 if all(result.met for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
