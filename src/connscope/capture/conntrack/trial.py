"""Finds out by trying whether conntrack follows flows in this network namespace."""

from __future__ import annotations

import select
import socket
import time
from pathlib import Path

from connscope.capture.conntrack.home import ConntrackHome
from connscope.capture.tier import BATCH_ROWS
from connscope.errors import FailedError, NotSupportedError
from connscope.row.words import Group, Kind

__all__ = ("see_own_flow",)

FEATURE = "conntrack"
HERE = Path("/proc/thread-self/ns/net")
RECEIVE_BYTES = 1 << 20
PATIENCE_S = 1.0
LOOPBACK = "127.0.0.1"


def see_own_flow() -> bool:
    """Sends a datagram to ourselves and waits until conntrack tells of it.

    Returns:
        Whether conntrack counts bytes here.

    Raises:
        NotSupportedError: conntrack is not there, or no rule of this namespace needs it.
        NotPermittedError: CAP_NET_ADMIN is missing.
        FailedError: it was tried and failed.
    """
    home = ConntrackHome(HERE.stat().st_ino, RECEIVE_BYTES)
    with home:
        home.complete()
        if home.refusal:
            raise home.refusal
        port = _send_to_ourselves()
        if not _tells_of(home, port):
            nothing = "it follows nothing in this network namespace, as no rule there needs it"
            raise NotSupportedError(FEATURE, f"{nothing} (nft: ct state)")
        # Its flow is still there, with its counters; others may have begun when none were kept.
        rows = home.look()
        return bool((rows["known"][rows["local_port"] == port] & Group.TRAFFIC).all())


def _send_to_ourselves() -> int:
    """The port that it was sent from."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind((LOOPBACK, 0))
            one.sendto(b"", one.getsockname())
            return int(one.getsockname()[1])
    except OSError as error:
        reason = f"no datagram to ourselves: {error.strerror}"
        raise FailedError(FEATURE, reason, error.errno or 0) from error


def _tells_of(home: ConntrackHome, port: int) -> bool:
    poll, end_s = select.poll(), time.monotonic() + PATIENCE_S
    for descriptor in home.filenos():
        poll.register(descriptor, select.POLLIN)
    while (left_s := end_s - time.monotonic()) > 0:
        poll.poll(left_s * 1000)
        rows = home.hear(BATCH_ROWS)[0]
        if ((rows["kind"] == Kind.OPENED) & (rows["local_port"] == port)).any():
            return True
    return False
