"""Which machine this is."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from connscope.kernel.host.clock import boot_id, boottime_ns

__all__ = ("Host", "this_host")

MACHINE_ID = Path("/etc/machine-id")
APPLICATION = b"connscope host id"


class Host(NamedTuple):
    """What its reports begin with.

    Attributes:
        host_id: the same after a reboot, another one on every machine.
        host_name: for people.
        boot_id: of the kernel.
        session_ns: when this agent started, CLOCK_BOOTTIME.
    """

    host_id: str
    host_name: str
    boot_id: str
    session_ns: int


def this_host(machine_id: Path = MACHINE_ID) -> Host:
    """The host that we are on.

    The machine id itself is to be kept to the machine (machine-id(5)), so what is told is a hash of
    it. A machine that has none is known by its name: clones of an image without one would be taken
    for the same otherwise.
    """
    name = os.uname().nodename
    try:
        secret = machine_id.read_bytes().strip()
    except OSError:
        secret = b""
    key = hashlib.sha256(APPLICATION + (secret or name.encode())).hexdigest()[:32]
    return Host(key, name, boot_id(), boottime_ns())
