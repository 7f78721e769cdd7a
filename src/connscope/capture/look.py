"""Looks: which sockets there are now, read in the kernel, with owners and counters."""

from __future__ import annotations

import numpy as np

from connscope.capture.objects import lend_maps, object_path
from connscope.errors import NotPermittedError
from connscope.kernel import BpfIterator, BpfObject
from connscope.kernel.host.network_namespaces import (
    entered_network_namespace,
    find_network_namespaces,
)
from connscope.kernel.resource import Resource
from connscope.row.columns import ROW, Rows

__all__ = ("SocketLook",)

LOOK = np.dtype(
    [
        ("number", np.uint8),
        ("replaces_owners", np.uint8),
        ("reserved", np.uint16),
        ("wrong_owners", np.uint32),
    ]
)
LAST_NUMBER = 255
ONLY_KEY = bytes(4)


class SocketLook(Resource):
    """The iterators of ``look.bpf.o``, on the storage of an open core.

    Args:
        core: loaded and attached, so that no socket opens unseen between the walks.

    Raises:
        KernelError: not supported, not permitted or failed.

    Attributes:
        namespaces_refused: how many network namespaces may not be entered; their sockets that are
            older than us and in no fd table are missing.
    """

    def __init__(self, core: BpfObject) -> None:
        self.namespaces_refused = 0
        self._number = 0
        self._object = BpfObject(object_path("look"))
        self._iterators: list[BpfIterator] = []
        try:
            lend_maps(core, self._object)
            self._object.load()
            self._tag = self._attach("tag_sockets", np.dtype(np.uint64))
            self._adopt = self._attach("adopt_sockets", np.dtype(np.uint64))
            self._minisockets = self._attach("look_at_minisockets", ROW)
            self._sockets = self._object.programs["look_at_sockets"].attach_iterator(
                ROW, core.maps["tracked_sockets"]
            )
            self._iterators.append(self._sockets)
            self._tag_older_sockets()
        except BaseException:
            self.close()
            raise

    def _attach(self, name: str, dtype: np.dtype[np.void] | np.dtype[np.uint64]) -> BpfIterator:
        iterator = self._object.programs[name].attach_iterator(dtype)
        self._iterators.append(iterator)
        return iterator

    def _tag_older_sockets(self) -> None:
        """Gives every TCP socket of every network namespace its storage, once."""
        self._in_each_namespace(self._tag)

    def _in_each_namespace(self, iterator: BpfIterator) -> list[Rows]:
        """What an iterator says that sees one namespace only: the one it was opened in."""
        found, self.namespaces_refused = list[Rows](), 0
        for path in find_network_namespaces().values():
            try:
                with entered_network_namespace(path):
                    found.append(iterator.read())
            except NotPermittedError:
                self.namespaces_refused += 1
            except FileNotFoundError:
                continue  # its last process has ended meanwhile, and with it the namespace
        return found

    def sockets(self) -> Rows:
        """All open TCP sockets, connections and listeners, as rows of kind ``snapshot``."""
        rows, wrong_owners = self._walk(replaces_owners=False)
        if wrong_owners:
            rows, _ = self._walk(replaces_owners=True)
        return rows

    def _walk(self, *, replaces_owners: bool) -> tuple[Rows, int]:
        self.adopt(replaces_owners=replaces_owners)
        rows = self._sockets.read()
        looks = self._object.maps["looks"]
        return rows, int(np.frombuffer(looks.get(ONLY_KEY) or b"", LOOK)["wrong_owners"].sum())

    def adopt(self, *, replaces_owners: bool = False) -> None:
        """Gives sockets an owner by the fd tables of all processes.

        Args:
            replaces_owners: also those whose owner the last walk did not find holding them.
        """
        if not replaces_owners:
            self._number = self._number % LAST_NUMBER + 1
        look = np.array((self._number, replaces_owners, 0, 0), LOOK)
        self._object.maps["looks"].set(ONLY_KEY, look.tobytes())
        self._adopt.read()

    def minisockets(self) -> Rows:
        """What is no socket yet or no longer: requests in SYN_RECV, and TIME_WAIT."""
        found = self._in_each_namespace(self._minisockets)
        return np.concatenate(found) if found else np.empty(0, ROW)

    def close(self) -> None:
        """Unloads everything; a second call does nothing."""
        for iterator in self._iterators:
            iterator.close()
        self._iterators = []
        self._object.close()
