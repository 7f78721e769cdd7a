"""An agent of a machine that is made up: it has one network namespace of this one.

Run as a program: ``python -m tests.kernel.fleet.agent HOST_ID NETNS URL TOKEN_FILE SPOOL_DIR``.
Everything but the host's id and what of the kernel belongs to it is as `connscope agent` has it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from unittest import mock

from connscope.agent import run
from connscope.agent.host import Host, this_host
from connscope.agent.place import find_place
from connscope.config import Config
from connscope.kernel.host.users import unprivileged_user
from connscope.row.columns import Rows
from connscope.tokens import read_token
from connscope.tracker.tracker import Connections, Tracker

INTERVAL_S = 0.2
READY = "ready"


def main(host_id: str, netns: int, url: str, token_file: str, spool_dir: str) -> None:
    """Reports until a signal says stop."""

    def mine(rows: Rows) -> Rows:
        chosen: Rows = rows[rows["netns"] == netns]
        return chosen

    class TrackerOfNamespace(Tracker):
        """Knows nothing of other machines."""

        def open(self) -> Rows:
            return mine(super().open())

        def advance(self) -> Rows:
            return mine(super().advance())

        def connections(self) -> Connections:
            return super().connections()._replace(rows=mine(super().connections().rows))

    def made_up_host() -> Host:
        return this_host()._replace(host_id=host_id, host_name=host_id)

    def ready(tracker: Tracker) -> None:
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()

    config = Config(spool_dir=spool_dir, report_interval_s=INTERVAL_S, look_interval_s=INTERVAL_S)
    destination = find_place(url, "", plaintext=False), read_token(Path(token_file))
    user = unprivileged_user("", {})
    with (
        mock.patch.object(run, "Tracker", TrackerOfNamespace),
        mock.patch.object(run, "this_host", made_up_host),
    ):
        run.run_agent(config, destination, user, ready=ready)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
