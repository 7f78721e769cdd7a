"""Listening ports, and roles that follow from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.row.columns import ROW, Rows
from connscope.row.words import Kind, OwnerEvidence, Protocol, Role, State
from connscope.table.ports import (
    EphemeralPorts,
    ListeningPorts,
    RoleEvidence,
    find_roles,
)
from tests.unit.sample_rows import one_row

EPHEMERAL = EphemeralPorts((32768, 60999), {2: (1000, 2000)})
NOTHING = EphemeralPorts((0, 0), {})
"""No port can be told to be a client's."""


def listener(address: str, port: int, **columns: Any) -> Rows:
    """A row of a listening socket."""
    given_columns = {
        "kind": Kind.LISTENING,
        "state": State.LISTEN,
        "protocol": Protocol.TCP,
        "connection_id": 1,
        "netns": 1,
        "local_address": address,
        "local_port": port,
    }
    return one_row(**(given_columns | columns))


def connection(local: str, local_port: int, peer: str, peer_port: int, **columns: Any) -> Rows:
    """A row of an open connection whose role nobody knows."""
    given_columns = {
        "kind": Kind.SNAPSHOT,
        "state": State.ESTABLISHED,
        "protocol": Protocol.TCP,
        "netns": 1,
        "local_address": local,
        "peer_address": peer,
        "local_port": local_port,
        "peer_port": peer_port,
    }
    return one_row(**(given_columns | columns))


SERVER = connection("10.0.0.1", 80, "10.9.9.9", 5000)
GONE = {"kind": Kind.UNLISTENED}


def listening(*batches: Rows) -> ListeningPorts:
    """After these batches."""
    ports = ListeningPorts()
    for batch in batches:
        ports.update(batch)
    return ports


def listened_on(ports: ListeningPorts, row: Rows = SERVER) -> bool:
    """Whether the local port of the row is."""
    return bool(ports.are_listened_on(row, "local")[0])


def role(
    row: Rows, ports: ListeningPorts, ephemeral: EphemeralPorts = NOTHING, *others: Rows
) -> tuple[Role, RoleEvidence]:
    """Of the first row among others."""
    roles = find_roles(np.concatenate((row, *others)), ports, ephemeral)
    return Role(roles.roles[0]), RoleEvidence(roles.evidence[0])


@pytest.mark.parametrize(
    ("address", "local", "expected"),
    [
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.2", "10.0.0.1", False),
        ("0.0.0.0", "10.0.0.1", True),
        ("0.0.0.0", "fd00::1", False),
        ("::", "fd00::1", True),
        ("::", "10.0.0.1", True),
        ("fd00::1", "fd00::1", True),
        ("fd00::1", "fd00::2", False),
        ("127.0.0.1", "10.0.0.1", False),
    ],
)
def test_listener_hears_its_address_or_all(address: str, local: str, expected: bool):
    """A specific one, all of IPv4, or all."""
    row = connection(local, 80, "10.9.9.9", 5000)
    assert listened_on(listening(listener(address, 80)), row) is expected


@pytest.mark.parametrize(
    "change", [{"netns": 2}, {"protocol": Protocol.UDP}, {"local_port": 81}], ids=str
)
def test_listener_hears_its_own_place_only(change: dict[str, Any]):
    """Namespace, protocol and port."""
    assert not listened_on(listening(listener("0.0.0.0", 80, **change)))


def test_other_rows_are_no_listeners():
    """A connection's local port is not listened on for that reason."""
    assert not listened_on(listening(SERVER))


def test_closed_port_counts_until_the_poll_is_over():
    """A connection that was accepted on it may be seen only then."""
    ports = listening(listener("0.0.0.0", 80), listener("0.0.0.0", 80, **GONE))
    assert listened_on(ports)
    ports.end_poll()
    assert not listened_on(ports)
    assert len(ports) == 0


def test_open_port_outlives_polls():
    """Nobody has closed it."""
    ports = listening(listener("0.0.0.0", 80))
    ports.end_poll()
    assert listened_on(ports)


def test_port_that_is_listened_on_again_is_not_closed():
    """The last word of a socket counts, also within one batch."""
    first, gone = listener("0.0.0.0", 80), listener("0.0.0.0", 80, **GONE)
    ports = listening(np.concatenate((first, gone, first)))
    ports.end_poll()
    assert listened_on(ports)


def test_port_shared_by_sockets_is_open_until_the_last_closes():
    """SO_REUSEPORT."""
    ports = listening(
        listener("0.0.0.0", 80),
        listener("0.0.0.0", 80, connection_id=2),
        listener("0.0.0.0", 80, **GONE),
    )
    ports.end_poll()
    assert listened_on(ports)
    ports.update(listener("0.0.0.0", 80, connection_id=2, **GONE))
    ports.end_poll()
    assert not listened_on(ports)


def test_look_replaces_all():
    """What it does not show is closed, after the poll."""
    ports = listening(listener("0.0.0.0", 80))
    ports.replace(listener("0.0.0.0", 81, connection_id=2, kind=Kind.SNAPSHOT))
    assert listened_on(ports)
    ports.end_poll()
    assert not listened_on(ports)
    assert listened_on(ports, connection("10.0.0.1", 81, "10.9.9.9", 5000))


def test_look_keeps_what_it_shows():
    """A listener that was known and is shown goes on."""
    ports = listening(listener("0.0.0.0", 80))
    ports.replace(listener("0.0.0.0", 80, kind=Kind.SNAPSHOT))
    ports.end_poll()
    assert listened_on(ports)
    assert len(ports) == 1


def test_look_shows_udp_sockets_without_a_peer_as_listeners():
    """They take what comes; one with a peer does not."""
    ports = ListeningPorts()
    open_socket = connection("0.0.0.0", 53, "0.0.0.0", 0, protocol=Protocol.UDP)
    connected = connection("10.0.0.1", 54, "10.9.9.9", 53, protocol=Protocol.UDP)
    ports.replace(np.concatenate((open_socket, connected)))
    assert len(ports) == 1
    assert listened_on(ports, connection("10.0.0.1", 53, "10.9.9.9", 9, protocol=Protocol.UDP))


@pytest.mark.parametrize("known", [Role.CLIENT, Role.SERVER])
def test_what_the_tier_saw_comes_first(known: Role):
    """Whatever listens."""
    row = SERVER.copy()
    row["role"] = known
    assert role(row, listening(listener("0.0.0.0", 80))) == (known, RoleEvidence.TIER)


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        (OwnerEvidence.CONNECT, Role.CLIENT),
        (OwnerEvidence.ACCEPT, Role.SERVER),
        (OwnerEvidence.LISTENER, Role.SERVER),
    ],
)
def test_evidence_of_the_owner_is_evidence_of_the_role(owner: OwnerEvidence, expected: Role):
    """Who connected is a client, who accepted is a server."""
    row = connection("10.0.0.1", 5000, "10.9.9.9", 80, owner_evidence=owner)
    assert role(row, ListeningPorts()) == (expected, RoleEvidence.TIER)


@pytest.mark.parametrize("owner", [OwnerEvidence.FD_TABLE, OwnerEvidence.CLOSE])
def test_evidence_of_holding_says_nothing_of_the_role(owner: OwnerEvidence):
    """Anybody may hold a socket."""
    row = connection("10.0.0.1", 5000, "10.9.9.9", 80, owner_evidence=owner)
    assert role(row, ListeningPorts()) == (Role.UNKNOWN, RoleEvidence.UNKNOWN)


def test_local_port_that_is_listened_on_makes_a_server():
    """Somebody connected to it."""
    ports = listening(listener("0.0.0.0", 80))
    assert role(SERVER, ports) == (Role.SERVER, RoleEvidence.LISTENER)


@pytest.mark.parametrize(
    ("local", "peer"),
    [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("10.0.0.1", "10.0.0.1")],
)
def test_peer_port_that_is_listened_on_here_makes_a_client(local: str, peer: str):
    """The peer's address is one of the same namespace."""
    ports = listening(listener("::", 80))
    row = connection(local, 5000, peer, 80)
    assert role(row, ports) == (Role.CLIENT, RoleEvidence.LISTENER)


def test_peer_address_is_here_if_some_row_has_it():
    """The addresses of a namespace are those that its sockets have."""
    ports, row = listening(listener("::", 80)), connection("10.0.0.1", 5000, "10.0.0.2", 80)
    other = connection("10.0.0.2", 22, "10.9.9.9", 5000)
    assert role(row, ports, NOTHING, other) == (Role.CLIENT, RoleEvidence.LISTENER)
    other["netns"] = 2
    assert role(row, ports, NOTHING, other) == (Role.UNKNOWN, RoleEvidence.UNKNOWN)


def test_peer_address_is_here_if_a_listener_has_it():
    """One that listens at a specific address."""
    row = connection("10.0.0.1", 5000, "10.0.0.2", 80)
    ports = listening(listener("10.0.0.2", 80))
    assert role(row, ports) == (Role.CLIENT, RoleEvidence.LISTENER)


def test_peer_port_of_another_machine_says_nothing():
    """That we listen on port 80 too does not make the peer a server."""
    row = connection("10.0.0.1", 5000, "10.9.9.9", 80)
    assert role(row, listening(listener("::", 80))) == (Role.UNKNOWN, RoleEvidence.UNKNOWN)


def test_two_listened_ports_are_left_to_the_range():
    """One of them is a client that has bound its port."""
    ports = listening(listener("::", 80), listener("::", 40000, connection_id=2))
    row = connection("::1", 40000, "::1", 80)
    assert role(row, ports) == (Role.UNKNOWN, RoleEvidence.UNKNOWN)
    assert role(row, ports, EPHEMERAL) == (Role.CLIENT, RoleEvidence.PORT_RANGE)


@pytest.mark.parametrize(
    ("local_port", "peer_port", "netns", "expected"),
    [
        (32768, 80, 1, Role.CLIENT),
        (60999, 61000, 1, Role.CLIENT),
        (80, 40000, 1, Role.SERVER),
        (40000, 50000, 1, Role.UNKNOWN),
        (80, 443, 1, Role.UNKNOWN),
        (80, 40000, 2, Role.UNKNOWN),
        (1000, 40000, 2, Role.CLIENT),
        (2001, 2000, 2, Role.SERVER),
    ],
)
def test_ephemeral_port_makes_a_client(local_port: int, peer_port: int, netns: int, expected: Role):
    """If only one of both is in the range of the namespace."""
    row = connection("10.0.0.1", local_port, "10.9.9.9", peer_port, netns=netns)
    found = RoleEvidence.PORT_RANGE if expected else RoleEvidence.UNKNOWN
    assert role(row, ListeningPorts(), EPHEMERAL) == (expected, found)


def test_rows_are_left_as_they_are():
    """Roles are returned, not written."""
    before = SERVER.copy()
    role(SERVER, listening(listener("0.0.0.0", 80)))
    assert before.tobytes() == SERVER.tobytes()


def test_no_rows_have_no_roles():
    """An empty batch gives an empty answer."""
    roles = find_roles(np.empty(0, ROW), ListeningPorts(), EPHEMERAL)
    assert (len(roles.roles), len(roles.evidence)) == (0, 0)


ADDRESSES = st.sampled_from(("10.0.0.1", "10.0.0.2", "0.0.0.0", "::", "fd00::1"))
SOCKET = st.tuples(
    st.integers(1, 2), ADDRESSES, st.integers(80, 81), st.integers(1, 2), st.booleans()
)
STEPS = st.lists(
    st.tuples(st.sampled_from(("update", "replace")), st.lists(SOCKET, max_size=6))
    | st.just(("end_poll", [])),
    max_size=8,
)


def listens_by_the_rules(sockets: Any, netns: int, address: str, port: int) -> bool:
    """Whether one of the sockets hears what is sent there."""
    heard = {address, "::"} | ({"0.0.0.0"} if "." in address else set())
    return any(
        (own_netns, own_port) == (netns, port) and own_address in heard
        for _, own_address, own_port, own_netns in sockets
    )


@given(STEPS)
def test_ports_are_those_that_a_dict_would_hold(steps):
    """Socket for socket, step for step."""
    ports, model = ListeningPorts(), dict[Any, bool]()
    for step, sockets in steps:
        batch = [
            listener(
                address,
                port,
                connection_id=number,
                netns=netns,
                kind=Kind.LISTENING if is_open else Kind.UNLISTENED,
            )
            for number, address, port, netns, is_open in sockets
        ]
        if step == "end_poll":
            ports.end_poll()
            model = {socket: True for socket, is_open in model.items() if is_open}
        else:
            getattr(ports, step)(np.concatenate([np.empty(0, ROW), *batch]))
            if step == "replace":
                model = dict.fromkeys(model, False)
            told = [socket for socket in sockets if step == "update" or socket[-1]]
            model |= {socket[:-1]: socket[-1] for socket in told}
        places = [
            (netns, address, port)
            for netns in (1, 2)
            for address in ("10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2")
            for port in (80, 81)
        ]
        rows = [
            connection(address, port, "10.9.9.9", 5, netns=netns) for netns, address, port in places
        ]
        found = ports.are_listened_on(np.concatenate(rows), "local").tolist()
        assert found == [listens_by_the_rules(model, *place) for place in places]
