"""The programs that make known traffic: what they print is what was asked for."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.traffic import __main__ as command
from tests.traffic.kinds import KINDS
from tests.traffic.report import TREE, make


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """The command line with those words."""
    return subprocess.run(
        [sys.executable, "-m", "tests.traffic", *words],
        cwd=TREE,
        check=False,
        capture_output=True,
        text=True,
    )


def test_every_kind_is_listed_with_what_it_does() -> None:
    """Without a kind there is a list of all."""
    listed = run()

    assert listed.returncode == 2
    assert command.MODULES
    for kind in KINDS.values():
        assert f"  {kind.name} " in listed.stdout
        assert kind.meaning in listed.stdout
        assert len(kind.meaning) > 10


@pytest.mark.parametrize("word", ["size", "size=", "size=-1", "size=1.5", "length=3"])
def test_wrong_option_is_refused(word: str) -> None:
    """An option is a name that the kind has and a whole number."""
    refused = run("write", word)

    assert refused.returncode == 2
    assert "'size'" in refused.stderr


def test_report_is_one_json_object() -> None:
    """The kind, and each end with what it counted."""
    printed = json.loads(run("write", "size=12", "v6=1").stdout)

    client, server = printed["connections"]
    assert printed["kind"] == "write"
    assert (client["role"], client["sent"], client["received"]) == ("client", 12, 12)
    assert (client["local"], client["peer"]) == (server["peer"], server["local"])
    assert client["local"].startswith("[::1]:")


@pytest.mark.parametrize("v6", [0, 1], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("kind", ["udp_connected", "udp_unconnected"])
def test_datagrams_arrive(kind: str, v6: int) -> None:
    """What one end sends the other receives, both ways."""
    first, second = make(kind, datagrams=6, v6=v6).connections

    assert first.sent == second.received == 2 * (1 + 512 + 1400)
    assert second.sent == first.received == first.sent
    assert (first.protocol, first.local) == ("udp", second.peer)


def test_idle_sends_before_and_after() -> None:
    """A rest of no seconds is a rest too."""
    client, server = make("idle", seconds=0).connections

    assert client.sent == server.received == 200


def test_prefork_answers_in_other_processes() -> None:
    """Each end has the process that used it; a parent is none of the servers."""
    ends = make("prefork", workers=3, connections=30).connections
    clients = {end.pid for end in ends if end.role == "client"}
    servers = {end.pid for end in ends if end.role == "server"}

    assert len(ends) == 60
    assert len(clients) == 1
    assert not clients & servers
