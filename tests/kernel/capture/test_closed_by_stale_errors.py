"""Ends of connections where the socket's error is not what ended it."""

from __future__ import annotations

import socket

from connscope.row.words import ClosedBy, Group, Kind
from tests.kernel.capture.test_closed_by import Ends, client_closes, connect
from tests.kernel.namespace import NamespacePair
from tests.kernel.recorder import Recorder

IP_RECVERR = 11


def test_data_that_comes_after_the_close(recorder: Recorder) -> None:
    """The client has closed, its FIN is on the way, the server still sends: the client's end resets
    the connection. It may say local, or that it is not sure; never that the peer did it."""
    with NamespacePair() as pair, pair.right.listener(pair.right_address) as listener:
        port = listener.getsockname()[1]
        client, server = connect(pair, listener)
        pair.right.filter("meta l4proto tcp drop")
        client.close()
        server.send(b"x")
        row = recorder.one(port, Kind.CLOSED, netns=pair.left.inode)
        server.close()

    sure = Group.QUALITY in Group(int(row["exact"]))
    assert not (sure and row["closed_by"] == ClosedBy.PEER_RESET)


def test_icmp_error_that_ended_nothing(recorder: Recorder) -> None:
    """An application with IP_RECVERR does not read the error; later it closes in the normal way."""
    with NamespacePair() as pair, pair.right.listener(pair.right_address) as listener:
        port = listener.getsockname()[1]
        client, server = connect(pair, listener)
        client.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        pair.right.set("ipv4/icmp_ratelimit", 0)
        pair.right.filter(f"tcp dport {port} counter reject with icmp type host-unreachable")
        client.send(b"x")
        pair.right.until_filtered(3)
        pair.mend()
        assert server.recv(1) == b"x"
        client_closes(Ends(pair, client, server))
        row = recorder.one(port, Kind.CLOSED, netns=pair.left.inode)

    assert (row["closed_by"], row["error"]) == (ClosedBy.LOCAL, 0)
