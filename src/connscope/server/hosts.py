"""The hosts that report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from connscope.errors import UsageError
from connscope.server.host import Host
from connscope.server.node_keys import NO_HOST

__all__ = ("Hosts",)


class Hosts:
    """All hosts, by id and by number.

    Args:
        most: how many there may be.
    """

    def __init__(self, most: int) -> None:
        self._most = min(most, NO_HOST)
        self._by_id = dict[str, Host]()
        self._by_number = list[Host]()
        self._names = Counter[str]()

    def __iter__(self) -> Iterator[Host]:
        return iter(self._by_number)

    def __len__(self) -> int:
        return len(self._by_number)

    def get(self, host_id: str) -> Host | None:
        """The host, if it ever reported."""
        return self._by_id.get(host_id)

    def find(self, host_id: str) -> Host:
        """The host.

        Raises:
            UsageError: nobody has reported for it.
        """
        host = self._by_id.get(host_id)
        if host is None:
            raise UsageError(f"no report came of host {host_id!r}")
        return host

    def make(self, host_id: str) -> Host:
        """A host that reports for the first time.

        Raises:
            UsageError: there are too many.
        """
        if len(self._by_number) >= self._most:
            raise UsageError(f"{self._most} hosts report already: see server_hosts_max")
        host = Host(len(self._by_number), host_id)
        self._by_id[host_id] = host
        self._by_number.append(host)
        return host

    def rename(self, host: Host, name: str) -> None:
        """What the host is called from now on."""
        if host.name != name:
            self._names[host.name] -= 1
            self._names[name] += 1
            host.name = name

    def numbered(self, number: int) -> Host:
        """The host that has the number."""
        return self._by_number[number]

    def label(self, host: Host) -> str:
        """Its name, with its id if several have this name."""
        if not host.name:
            return host.id
        return host.name if self._names[host.name] == 1 else f"{host.name} {host.id[:8]}"
