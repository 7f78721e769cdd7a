"""The iterators of ``look.bpf.o``, attached, and the maps through which they talk with us."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from connscope.capture.objects import lend_maps, object_path
from connscope.kernel import BpfIterator, BpfObject
from connscope.kernel.mapped_array import MappedArray
from connscope.kernel.resource import Resource
from connscope.row.columns import ROW, Rows

__all__ = ("LOOK", "SocketWalks")

LOOK = np.dtype(
    [
        ("turn", np.uint64),
        ("whole", np.uint64),
        ("began_ns", np.uint64),
        ("strangers", np.uint32),
        ("wrong_owners", np.uint32),
        ("filled", np.uint32),
        ("without_room", np.uint32),
        ("walk", np.uint8),
        ("follows_walk", np.uint8),
        ("replaces_owners", np.uint8),
        ("reserved", np.uint8, 5),
    ]
)
"""``struct look`` of holder.bpf.h: what we say of a look, and what we hear."""

OWN_MAPS = ("look_rows", "look_turns", "looks", "mptcp_owners")
"""Not those of earlier walks, which had another size."""
ONLY_KEY = bytes(4)
OWNER = np.dtype((np.void, 32))  # struct owner of maps.bpf.h, which nobody reads here
NOTHING = np.dtype(np.uint64)  # of iterators that write no records

Held = TypeVar("Held", bound=Resource)


class SocketWalks(Resource):
    """Every way through the sockets that a look takes.

    Args:
        core: loaded; its storage is what is walked. None: the sockets get storage of ours, and
            nobody follows their events.
        knobs: as the core has them: how the kernel is, and what is asked for.
        rows_max: how many sockets one walk can show without a pause.

    Raises:
        KernelError: not supported, not permitted or failed.

    Attributes:
        tag: gives each TCP socket of the network namespace of the reading thread its storage.
        minisockets: reads rows of SYN_RECV and TIME_WAIT in that namespace.
        rows_max: as given.
        object: with the maps.
    """

    def __init__(self, core: BpfObject | None, knobs: Mapping[str, bool], rows_max: int) -> None:
        self.rows_max = rows_max
        self._held: list[Resource] = []
        try:
            self.object = look = self._hold(BpfObject(object_path("look")))
            look.set(**knobs)
            if core:
                lend_maps(core, look, but=OWN_MAPS)
            else:
                look.maps["rows"].resize(mmap.PAGESIZE)  # nobody writes events
            look.maps["look_rows"].resize(rows_max)
            look.maps["look_turns"].resize(rows_max)
            look.load()
            programs = look.programs
            self.tag = self._hold(programs["tag_sockets"].attach_iterator(NOTHING))
            self._adopt: BpfIterator = self._hold(
                programs["adopt_sockets"].attach_iterator(NOTHING)
            )
            self.minisockets = self._hold(programs["look_at_minisockets"].attach_iterator(ROW))
            storage = look.maps["tracked_sockets"]
            sockets = programs["look_at_sockets"].attach_iterator(NOTHING, storage)
            self._sockets: BpfIterator = self._hold(sockets)
            self._rows = self._hold(MappedArray(look.maps["look_rows"], ROW))
            self._turns = self._hold(MappedArray(look.maps["look_turns"], np.uint64))
        except BaseException:
            self.close()
            raise

    def _hold(self, resource: Held) -> Held:
        self._held.append(resource)
        return resource

    def say(self, **fields: int) -> None:
        """Sets the fields of `LOOK`; those not given are 0."""
        look = np.zeros(1, LOOK)
        for name, value in fields.items():
            look[name] = value
        self.object.maps["looks"].set(ONLY_KEY, look.tobytes())

    def heard(self) -> Any:
        """One `LOOK` as the programs have left it."""
        content = self.object.maps["looks"].get(ONLY_KEY) or bytes(LOOK.itemsize)
        return np.frombuffer(bytearray(content), LOOK)[0]

    def adopt(self) -> None:
        """Gives sockets their owners by the fd tables of all processes."""
        self.object.maps["mptcp_owners"].read(NOTHING, OWNER, delete=True)
        self._adopt.read()

    def read_sockets(self) -> Rows:
        """One row for each open socket that this look has not shown yet: a look that writes all
        rows."""
        parts = list[Rows]()
        while not self._sockets.walk(lambda: parts.append(self._emptied())):
            pass  # what a walk with a pause has missed, one without shows
        parts.append(self._rows.copy(int(self.heard()["filled"])))
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def _emptied(self) -> Rows:
        look = self.heard()
        rows = self._rows.copy(int(look["filled"]))
        look["filled"] = 0
        self.object.maps["looks"].set(ONLY_KEY, look.tobytes())
        return rows

    def read_changes(self) -> Rows | None:
        """One row for each open socket, of which only those are written that something happened to
        since the last look; None: that can not be had, take a look that writes all."""
        is_whole = self._sockets.walk(lambda: None)
        look = self.heard()
        if look["without_room"] or not is_whole:
            return None
        count = int(look["filled"])
        rows: Rows = self._rows.copy(count, self._turns.copy(count) == look["turn"])
        # The others are as they are now, too.
        np.maximum(rows["time_ns"], look["began_ns"], out=rows["time_ns"])
        return rows

    def close(self) -> None:
        """Unloads everything; a second call does nothing."""
        for resource in reversed(self._held):
            resource.close()
        self._held = []
