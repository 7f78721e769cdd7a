"""Both ends of a connection become one, and never those of two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.row.columns import ROW, Rows
from connscope.row.words import Group, Protocol
from connscope.server.joins import matched, read_ends
from connscope.server.live import Live
from connscope.server.pairing import Pairing
from tests.unit.server.reports import (
    ALL,
    WITHOUT_ISN,
    Machine,
    client,
    closed,
    joined,
    live,
    server,
    told,
)

PAIRS = 1_000_000
NETWORKS = 40
LOOPBACK: dict[str, Any] = {"local_address": "127.0.0.1", "peer_address": "127.0.0.1"}


def pairs_of(known: Live) -> int:
    """How many connections are seen from both ends."""
    known.grouping("process", 100.0)
    partner = known.pairing.partner
    assert all(partner[other] == slot for slot, other in enumerate(partner) if other >= 0)
    return int(np.count_nonzero(partner >= 0)) // 2


def two_hosts(one: Rows, other: Rows) -> Live:
    """One end on one host, the other on another."""
    return told(Machine("alpha").report(one), Machine("beta").report(other))


def test_two_agents_by_sequence_numbers():
    """Tuple and initial sequence numbers mirrored: one connection."""
    assert pairs_of(two_hosts(client(), server(client()))) == 1


def test_other_sequence_numbers_are_another_connection():
    """The same tuple in two networks, both with sequence numbers that differ."""
    assert pairs_of(two_hosts(client(), server(client(), isn_local=7))) == 0


@pytest.mark.parametrize("blind", ["client", "server", "both"])
def test_by_tuple_alone_if_there_is_one_candidate(blind: str):
    """Without sequence numbers at an end the tuple is enough, if nobody else has it."""
    one, other = client(), server(client())
    if blind in ("client", "both"):
        one["known"] = WITHOUT_ISN
    if blind in ("server", "both"):
        other["known"] = WITHOUT_ISN
    assert pairs_of(two_hosts(one, other)) == 1


def test_not_by_tuple_alone_if_there_are_two_candidates():
    """A third end with the tuple: nobody knows which belong together."""
    one = client(known=WITHOUT_ISN)
    known = told(
        Machine("alpha").report(one),
        Machine("beta").report(server(one)),
        Machine("gamma").report(server(one)),
    )
    assert pairs_of(known) == 0


def test_not_by_tuple_alone_if_an_address_is_used_twice():
    """Another host has the client's address too: the client may be in its network."""
    one = client(known=WITHOUT_ISN)
    known = two_hosts(one, server(one))
    assert pairs_of(known) == 1
    known.take(Machine("gamma").report(client(77, known=WITHOUT_ISN)), 100.0, 1)
    assert pairs_of(known) == 0


def test_one_machine_by_tuple_and_namespace():
    """Loopback without sequence numbers."""
    one = client(known=WITHOUT_ISN, **LOOPBACK)
    assert pairs_of(told(Machine().report(one, server(one)))) == 1


def test_loopback_of_two_machines_is_not_one():
    """127.0.0.1 is another machine's too."""
    one = client(known=WITHOUT_ISN, **LOOPBACK)
    assert pairs_of(two_hosts(one, server(one))) == 0


def test_loopback_of_two_namespaces_is_not_one():
    """127.0.0.1 is another namespace's too, whatever the numbers say."""
    one = client(**LOOPBACK)
    assert pairs_of(told(Machine().report(one, server(one, netns=7)))) == 0


def test_two_namespaces_of_a_machine():
    """A container and its host, without sequence numbers, with an address that all hosts have."""
    one = client(known=WITHOUT_ISN, local_address="172.17.0.2", peer_address="172.17.0.1")
    known = told(
        Machine("alpha").report(one, server(one, netns=7)),
        Machine("beta").report(one, server(one, netns=7)),
    )
    assert pairs_of(known) == 2


def test_udp_is_not_tcp():
    """The same addresses and ports of another protocol."""
    one = client(known=WITHOUT_ISN)
    assert pairs_of(two_hosts(one, server(one, protocol=Protocol.UDP))) == 0


def test_a_pair_ends_when_an_end_is_forgotten():
    """The end that is left stands alone again."""
    alpha, beta = Machine("alpha"), Machine("beta")
    one = client()
    known = told(alpha.report(one), beta.report(server(one)))
    assert pairs_of(known) == 1
    known.take(beta.report(gone=[int(server(one)["connection_id"][0])]), 100.0, 1)
    known.advance(120.0)
    assert pairs_of(known) == 0


def test_a_pair_stays_while_one_end_has_ended():
    """Reports of two hosts do not come at once."""
    alpha, beta = Machine("alpha"), Machine("beta")
    known = told(alpha.report(client()), beta.report(server(client())))
    known.take(beta.report(ended=[closed(server(client()))]), 101.0, 1)
    assert pairs_of(known) == 1


def behind_nat(**columns: Any) -> Rows:
    """The server's end of `client()`, which sees the router for the client."""
    router = client(local_address="192.0.2.9", peer_address="192.0.2.1")
    texts = {name: router[name] for name in ("local_address", "peer_address")}
    told = {"peer_address": texts["peer_address"], "peer_port": 61000} | columns
    if "local_address" in columns:
        told["local_address"] = texts["local_address"]
    return server(client(), **told)


def test_translated_address_by_sequence_numbers():
    """Nothing but the server's address and port is the same; one node each, no third."""
    known = two_hosts(client(), behind_nat())
    assert pairs_of(known) == 1


@pytest.mark.parametrize(
    "columns",
    [
        {"isn_peer": 7},
        {"exact": WITHOUT_ISN},
        {"known": WITHOUT_ISN},
        {"protocol": Protocol.UDP},
        {"local_address": "192.0.2.9", "local_port": 8443},
    ],
)
def test_translated_address_needs_all_else(columns: dict[str, Any]):
    """Sequence numbers that are known exactly and agree, and an end in common."""
    assert pairs_of(two_hosts(client(), behind_nat(**columns))) == 0


def test_translated_address_with_a_third_end_is_none():
    """Nobody knows which of them it is; when one is gone, it is known."""
    gamma = Machine("gamma")
    known = two_hosts(client(), behind_nat())
    known.take(gamma.report(behind_nat(peer_port=61001)), 100.0, 1)
    assert pairs_of(known) == 0
    known.take(gamma.report(full=True), 100.0, 1)
    known.advance(120.0)
    assert pairs_of(known) == 1


@pytest.mark.parametrize("knows", [ALL, WITHOUT_ISN])
def test_addresses_join_before_sequence_numbers(knows: int):
    """The end that mirrors all takes its place, and gives it back when it is gone."""
    beta, nat, other = Machine("beta"), behind_nat(), server(client(), known=knows, netns=7)
    other["connection_id"] += np.uint64(1)
    known = told(Machine("alpha").report(client()), beta.report(nat))
    assert peers_of_client(known, 100.0) == nat["connection_id"]
    known.take(beta.report(other), 101.0, 1)
    assert peers_of_client(known, 101.0) == other["connection_id"]
    assert pairs_of(known) == 1
    known.take(beta.report(gone=other["connection_id"].tolist()), 102.0, 1)
    assert peers_of_client(known, 130.0) == nat["connection_id"]


def peers_of_client(known: Live, now_s: float) -> list[int]:
    """Ids of the ends that `client()` is joined with."""
    known.grouping("process", now_s)
    rows, partner = known.window.rows, known.pairing.partner
    here = np.flatnonzero(rows["connection_id"] == client()["connection_id"])
    found: list[int] = rows["connection_id"][partner[here[partner[here] >= 0]]].tolist()
    return found


def test_loopback_of_two_machines_is_not_translated():
    """127.0.0.1 is another machine's too, whatever the numbers say."""
    one = client(**LOOPBACK)
    assert pairs_of(two_hosts(one, server(one, peer_port=61000))) == 0


ENDS = st.fixed_dictionaries(
    {
        "local_address": st.sampled_from(["10.0.0.1", "10.0.0.2", "127.0.0.1"]),
        "peer_address": st.sampled_from(["10.0.0.1", "10.0.0.2", "127.0.0.1"]),
        "local_port": st.sampled_from([443, 40000]),
        "peer_port": st.sampled_from([443, 40000]),
        "isn_local": st.integers(0, 1),
        "isn_peer": st.integers(0, 1),
        "netns": st.integers(1, 2),
        "known": st.sampled_from([ALL, WITHOUT_ISN]),
    }
)


@given(
    st.lists(st.tuples(ENDS, st.integers(0, 2), st.booleans()), min_size=1, max_size=8),
    st.randoms(),
)
def test_order_does_not_matter(drawn: list[tuple[dict[str, Any], int, bool]], random: Any):
    """Whatever the order of the ends, the same ones belong together."""
    rows = joined(client(place, **ends) for place, (ends, _, _) in enumerate(drawn))
    hosts = np.array([host for _, host, _ in drawn], np.uint16)
    shared = np.array([each for _, _, each in drawn])
    order = list(range(len(drawn)))
    random.shuffle(order)

    def found(chosen: list[int]) -> set[frozenset[int]]:
        first, second = matched(read_ends(rows[chosen], hosts[chosen], shared[chosen]))
        return {frozenset((chosen[a], chosen[b])) for a, b in zip(first, second, strict=True)}

    pairs = found(order)
    assert pairs == found(sorted(order))
    assert len(frozenset[int]().union(*pairs)) == 2 * len(pairs)


TRANSLATED = st.fixed_dictionaries(
    {
        "local_address": st.sampled_from(["10.0.0.1", "10.0.0.2"]),
        "peer_address": st.sampled_from(["10.0.0.1", "10.0.0.2"]),
        "local_port": st.sampled_from([443, 40000]),
        "peer_port": st.sampled_from([443, 40000]),
        "isn_local": st.integers(1, 2),
        "isn_peer": st.integers(1, 2),
    }
)


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.dictionaries(st.integers(1, 4), TRANSLATED, max_size=3)),
        min_size=1,
        max_size=6,
    )
)
def test_pairs_that_are_kept_up_are_those_of_now(reports: list[tuple[int, dict[int, Any]]]):
    """Whatever came and went before: as if all had come at once."""
    machines = [Machine(name) for name in ("alpha", "beta", "gamma")]
    known = live()
    for second, (host, ends) in enumerate(reports):
        rows = (client(number, **columns) for number, columns in ends.items())
        known.take(machines[host].report(*rows, full=True), 100.0 + 9 * second, 1)
        known.grouping("process", 100.0 + 9 * second)
    fresh = Pairing(known.window)
    fresh.refresh()
    assert known.pairing.partner.tolist() == fresh.partner.tolist()


def million() -> tuple[Rows, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Pairs of networks that all use the same few addresses of 10/8.

    Returns:
        Rows; the host of each; which connection each is an end of.
    """
    random = np.random.default_rng(4040)
    truth = np.arange(PAIRS)
    rows = np.zeros(PAIRS, ROW)
    network = random.integers(0, NETWORKS, PAIRS)
    rows["protocol"], rows["family"], rows["netns"] = Protocol.TCP, 4, 4026531840
    for name in ("local_address", "peer_address"):
        rows[name][:, 10:12], rows[name][:, 12] = 0xFF, 10
        rows[name][:, 15] = random.integers(1, 40, PAIRS)
    rows["local_port"] = random.integers(32768, 60999, PAIRS)
    rows["peer_port"] = random.choice([80, 443, 5432], PAIRS)
    for name in ("isn_local", "isn_peer"):
        rows[name] = random.integers(0, 1 << 32, PAIRS)
    other = server(rows)
    for end in (rows, other):
        end["known"] = np.where(random.random(PAIRS) < 0.7, ALL, ALL & ~Group.JOIN.value)
    hosts = network * 64 + rows["local_address"][:, 15]
    other_hosts = network * 64 + other["local_address"][:, 15]
    seen = random.random(PAIRS) < 0.9
    both = np.concatenate([rows, other[seen]])
    return both, np.concatenate([hosts, other_hosts[seen]]), np.concatenate([truth, truth[seen]])


def test_no_false_join_among_a_million():
    """Networks with the same addresses and ports, 3 in 10 ends without sequence numbers."""
    rows, hosts, truth = million()
    ends = read_ends(rows, hosts.astype(np.uint16), np.ones(len(rows), np.bool_))
    first, second = matched(ends)
    assert np.count_nonzero(truth[first] != truth[second]) == 0
    assert len(first) > 0.4 * PAIRS


def test_nothing_known_is_nothing_joined():
    """No connection, no pair."""
    assert pairs_of(live()) == 0
