"""Who has the port that we want."""

from __future__ import annotations

import os

from connscope.capture.ladder import open_looker
from connscope.config import Config
from connscope.errors import KernelError
from connscope.kernel.host.network_namespaces import network_namespace
from connscope.row.outside_text import printable
from connscope.row.words import State

__all__ = ("describe_port_owner", "with_port_owner")


def with_port_owner(reason: str, port: int) -> str:
    """Why a server could not open its sockets; if it is its port, with whose that is."""
    return reason + (describe_port_owner(port) if f" port {port}:" in reason else "")


def describe_port_owner(port: int) -> str:
    """Of the process that listens there `` (it is that of nginx, pid 812)``; nothing if it is not
    known."""
    try:
        looker = open_looker(Config(), {})
    except KernelError:
        return ""
    try:
        rows = looker.look()
        mine = rows["netns"] == network_namespace(os.getpid())
    except (KernelError, OSError):
        return ""
    finally:
        looker.close()
    owners = rows[(rows["local_port"] == port) & (rows["state"] == State.LISTEN) & mine]
    owners = owners[owners["pid"] > 0]
    if not len(owners):
        return ""
    name = printable(owners["comm"][0].tobytes())
    return f" (it is that of {name}, pid {owners['pid'][0]})"
