"""Looks of the kprobe tier: a sock_diag dump of ours asks about each socket, and a probe there
makes the row of it."""

from __future__ import annotations

import os
import socket
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.capture.inheritance import give_listeners_owner
from connscope.capture.kprobe.guess.witness import own_name
from connscope.capture.kprobe.owners import settle_owners
from connscope.capture.netlink.tier import NetlinkTier
from connscope.capture.objects import lend_maps, object_path
from connscope.config import Config
from connscope.errors import FailedError
from connscope.kernel import BpfObject
from connscope.kernel.host.namespaces import in_initial_pid_namespace
from connscope.kernel.kprobes import Kprobe, Kprobes
from connscope.kernel.mapped_array import MappedArray
from connscope.kernel.netlink.diag_socket import SocketDump
from connscope.kernel.resource import Resource
from connscope.row.columns import ROW, Rows
from connscope.row.words import Protocol, State, Tier

__all__ = ("KprobeLook",)

LOOK = np.dtype(
    [
        ("thread", np.uint64),
        ("name", np.void, 16),
        ("seen", np.uint32),
        ("room", np.uint32),
    ]
)
"""``struct look`` of kprobe_look.bpf.c."""

ONLY_KEY = bytes(4)
FIRST_ROWS_MAX = 16384
"""3.5 MiB of the kernel's memory; more is asked for once there are more sockets."""


class KprobeLook(Resource):
    """Takes looks at all sockets of this machine, always from one thread.

    Args:
        core: loaded; what it knows of sockets is shown with them.
        kprobes: the probes of this process.
        knobs: of the core: where the fields are.
        config: `owner_check_interval_s`.

    Raises:
        KernelError: not supported, not permitted or failed.
    """

    def __init__(
        self, core: BpfObject, kprobes: Kprobes, knobs: dict[str, int], config: Config
    ) -> None:
        self._core, self._kprobes, self._knobs = core, kprobes, knobs
        self._object: BpfObject | None = None
        self._probe: Kprobe | None = None
        self._rows: MappedArray | None = None
        self._room, self._thread = FIRST_ROWS_MAX, 0
        self._dump = NetlinkTier(config, hears_news=False)
        try:
            self._load()
            self._thread = self._own_number()
            self._say(thread=self._thread)
            self._dump.open()
        except BaseException:
            self.close()
            raise

    def _load(self) -> None:
        self._object = look = BpfObject(object_path("kprobe_look"))
        look.set(**self._knobs)
        lend_maps(self._core, look)
        look.maps["look_rows"].resize(self._room)
        look.load()
        self._rows = MappedArray(look.maps["look_rows"], ROW)
        self._probe = self._kprobes.attach(look.programs["look_at"], "tcp_get_info")

    def _own_number(self) -> int:
        """What the kernel calls this thread: in a pid namespace it has another number than here.

        Asked is by a dump of a socket of ours. Other calls that report of a socket will not do: the
        compiler may have copied the probed function into them.
        """
        if in_initial_pid_namespace():
            return os.getpid() << 32 | threading.get_native_id()
        with own_name() as name, socket.socket() as asked, SocketDump() as dump:
            asked.bind(("127.0.0.1", 0))
            asked.listen()
            self._say(name=np.void(name.ljust(16, b"\0")))
            dump.read(socket.AF_INET, Protocol.TCP, 1 << State.LISTEN)
        found = int(self._heard()["thread"])
        if not found:
            raise FailedError("looks by kprobe", "the probe did not see our own dump")
        return found

    def look(self) -> Rows:
        """All open TCP and UDP sockets, see `CaptureTier.look`; ascending by socket."""
        self._say(thread=self._thread)
        shown = self._dump.look()
        seen = int(self._heard()["seen"])
        if seen > self._room:
            self._unload()
            self._room = seen + seen // 8
            self._load()
            return self.look()
        rows = _last_of_each(self._rows.copy(seen) if self._rows else np.empty(0, ROW))
        return _joined(rows, shown)

    def minisockets(self) -> Rows:
        """SYN_RECV and TIME_WAIT, see `CaptureTier.minisockets`."""
        rows = self._dump.minisockets()
        rows["tier"] = Tier.KPROBE
        return rows

    @property
    def limits(self) -> tuple[str, ...]:
        """What it can not see here, a sentence each."""
        return self._dump.limits

    def _say(self, **fields: Any) -> None:
        said = np.zeros(1, LOOK)
        for name, value in fields.items():
            said[name] = value
        said["room"] = self._room
        self._open.maps["looks"].set(ONLY_KEY, said.tobytes())

    def _heard(self) -> Any:
        content = self._open.maps["looks"].get(ONLY_KEY) or bytes(LOOK.itemsize)
        return np.frombuffer(content, LOOK)[0]

    @property
    def _open(self) -> BpfObject:
        if self._object is None:
            raise RuntimeError("the look is closed")
        return self._object

    def _unload(self) -> None:
        for part in (self._probe, self._rows, self._object):
            if part is not None:
                part.close()
        self._probe = self._rows = self._object = None

    def close(self) -> None:
        """Unloads everything; a second call does nothing."""
        self._unload()
        self._dump.close()


def _last_of_each(rows: Rows) -> Rows:
    """A dump begins a socket again that did not fit into a message any more."""
    _, at = np.unique(rows["socket_id"][::-1], return_index=True)
    return rows[len(rows) - 1 - at]


def _joined(rows: Rows, shown: Rows) -> Rows:
    """What the probe saw, with the owners and inodes of the dump; UDP sockets are the dump's."""
    tcp = shown[shown["protocol"] == Protocol.TCP]
    others = shown[shown["protocol"] != Protocol.TCP]
    if len(tcp):
        at = np.minimum(np.searchsorted(tcp["socket_id"], rows["socket_id"]), len(tcp) - 1)
        found: npt.NDArray[np.bool_] = tcp["socket_id"][at] == rows["socket_id"]
        rows, holders = rows[found], tcp[at[found]]
        rows["socket_inode"] = holders["socket_inode"]
        settle_owners(rows, holders)
    else:
        rows = rows[:0]
    rows = np.concatenate((rows, others))
    give_listeners_owner(rows)
    rows["tier"] = Tier.KPROBE
    return rows[np.argsort(rows["socket_id"], kind="stable")]
