"""Two machines with a wire between them, and what they say to each other."""

from __future__ import annotations

from tests.kernel.namespace import NamespacePair
from tests.traffic.party import Party

__all__ = ("Machines", "talk")

SENT, RECEIVED = 123_456, 54_321


class Machines(NamespacePair):
    """Two namespaces, and all connections from the left one to the right one."""

    def __init__(self) -> None:
        super().__init__()
        self._parties = list[Party]()

    def connect(self) -> tuple[Party, Party]:
        """One more connection: its client, its server."""
        with self.right.listener(self.right_address) as listener:
            made = self.left.tcp()
            made.connect(listener.getsockname())
            parties = Party(made, "client"), Party(listener.accept()[0], "server")
        self._parties += parties
        return parties

    def close(self) -> None:
        """Ends all of them."""
        for party in self._parties:
            party.socket.close()
        super().close()


def talk(client: Party, server: Party) -> None:
    """Some bytes each way, all of which arrive."""
    client.send(SENT)
    server.receive(SENT)
    server.send(RECEIVED)
    client.receive(RECEIVED)
