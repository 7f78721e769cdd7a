"""The agent of a host may report what its host does, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from connscope.report.encode import encode
from connscope.tokens import agent_token
from tests.unit.server.reports import Machine, client
from tests.unit.server.web import STREAM, TOKEN, authorized, made_client, made_server, post

MINE = agent_token(TOKEN, "alpha")


@pytest.fixture
def anyone() -> Iterator[TestClient]:
    with made_client(made_server()) as somebody:
        yield somebody


def test_agent_reports_of_its_host(anyone: TestClient):
    """Its token is enough."""
    assert post(anyone, Machine("alpha").report(client()), MINE) == 204


def test_agent_reports_of_no_other_host():
    """What it sends of one is not taken, and that one may report nevertheless."""
    with authorized() as asker:
        assert post(asker, Machine("beta").report(client()), MINE) == 403
        assert asker.get("/api/v1/hosts").json()["hosts"] == []
        assert post(asker, Machine("beta").report(client())) == 204


def test_refusal_names_both_hosts(anyone: TestClient):
    """Somebody has copied a file from one machine to another."""
    answer = anyone.post(
        "/api/v1/reports",
        content=_encoded("beta"),
        headers={"authorization": f"Bearer {MINE}"},
    )
    assert "alpha" in answer.json()["error"]
    assert "beta" in answer.json()["error"]


@pytest.mark.parametrize("host", ["a.b", "a.b.c", "4f1c"])
def test_ids_may_have_dots(anyone: TestClient, host: str):
    """What follows the last dot is the proof."""
    assert post(anyone, Machine(host).report(client()), agent_token(TOKEN, host)) == 204


@pytest.mark.parametrize(
    "forged",
    [
        MINE.replace("alpha", "beta"),
        MINE[:-1],
        f"{MINE}0",
        MINE.partition(".")[2],
        "alpha.",
        ".",
        agent_token("another-secret-0123456789", "alpha"),
        "älpha.0",
    ],
)
def test_forged_token_is_none(anyone: TestClient, forged: str):
    """Each is of one host and of one server."""
    answer = anyone.post(
        "/api/v1/reports",
        content=_encoded("alpha"),
        headers={b"authorization": f"Bearer {forged}".encode()},
    )
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "path", ["hosts", "topology", "connections", "listeners", "reports", "openapi.json"]
)
def test_agent_reads_nothing(anyone: TestClient, path: str):
    """A machine that is taken over tells nothing of the others."""
    answer = anyone.get(f"/api/v1/{path}", headers={"authorization": f"Bearer {MINE}"})
    assert answer.status_code == 401


def test_agent_reads_no_metrics(anyone: TestClient):
    """Nor how much there is."""
    assert anyone.get("/metrics", headers={"authorization": f"Bearer {MINE}"}).status_code == 401


def test_agent_is_not_fed(anyone: TestClient):
    """Nor what changes."""
    headers = {"authorization": f"Bearer {MINE}"}
    with (
        pytest.raises(WebSocketDisconnect),
        anyone.websocket_connect(STREAM, ["connscope.v1"], headers=headers),
    ):
        pass


def test_agent_does_not_log_in(anyone: TestClient):
    """Its token gets no cookie."""
    assert anyone.post("/api/v1/session", json={"token": MINE}).status_code == 401


def test_refusals_of_one_agent_do_not_hold_up_another(anyone: TestClient):
    """Behind a proxy both have its address."""
    mine = {"authorization": f"Bearer {MINE}"}
    for _ in range(40):
        answer = anyone.post("/api/v1/reports", content=b"x", headers=mine)
    assert answer.status_code == 429
    assert post(anyone, Machine("beta").report(client()), agent_token(TOKEN, "beta")) == 204


def _encoded(host: str) -> bytes:
    return encode(Machine(host).report(client()))
