"""How many TCP sockets there are, here and in all network namespaces."""

from __future__ import annotations

from contextlib import ExitStack

from connscope.kernel.host.mib import count_all_tcp_sockets, count_tcp_sockets
from tests.kernel.namespace import Namespace

PAIRS = 200


def test_those_of_another_namespace_are_counted_among_all() -> None:
    """And not among those of this one."""
    with Namespace() as other, ExitStack() as stack:
        here, everywhere = count_tcp_sockets(), count_all_tcp_sockets()
        with other.entered():
            listener = stack.enter_context(other.listener("127.0.0.1"))
            for _ in range(PAIRS):
                client = stack.enter_context(other.tcp())
                client.connect(listener.getsockname())
                stack.enter_context(listener.accept()[0])
            assert count_tcp_sockets() == 2 * PAIRS + 1
        assert count_tcp_sockets() < here + PAIRS
        assert count_all_tcp_sockets() > everywhere + PAIRS
