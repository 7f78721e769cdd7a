"""Nobody gets in without the token, and no other site by way of a browser."""

from __future__ import annotations

import logging
from http.cookies import SimpleCookie
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from connscope.server.access import Access, cookie_header
from connscope.server.state import Server
from tests.unit.server.web import ADDRESS, BEARER, STREAM, TOKEN, made_client, made_server

PATHS = (
    *("topology", "connections", "nodes/x", "edges/x", "listeners", "hosts", "openapi.json"),
    *("reports", "stream", "anything"),
)
FOREIGN_ORIGINS = (
    *("https://evil.example", "null", "127.0.0.1:4040"),
    *("http://127.0.0.1:4041", "http://localhost:4040"),
)


@pytest.fixture
def server() -> Server:
    return made_server()


@pytest.fixture
def anyone(server: Server) -> TestClient:
    return made_client(server)


def logged_in(server: Server) -> TestClient:
    """A browser that has swapped the token for the cookie."""
    browser = made_client(server)
    assert browser.post("/api/v1/session", json={"token": TOKEN}).status_code == 204
    return browser


def opens_stream(client: TestClient, **headers: str) -> bool:
    """If a feed is let in."""
    try:
        with client.websocket_connect(STREAM, ["connscope.v1"], headers=headers):
            return True
    except WebSocketDisconnect:
        return False


@pytest.mark.parametrize("path", PATHS)
def test_api_needs_the_token(anyone: TestClient, path: str):
    """401 and how to do it, whether or not there is such a path."""
    answer = anyone.get(f"/api/v1/{path}")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "Authorization: Bearer" in answer.json()["error"]


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN}x"])
def test_only_the_token_is_the_token(anyone: TestClient, given: str):
    """Nothing that looks like it."""
    answer = anyone.get("/api/v1/hosts", headers={"authorization": given})
    assert answer.status_code == 401


def test_metrics_need_the_token(anyone: TestClient):
    """They tell how much there is."""
    assert anyone.get("/metrics").status_code == 401
    assert anyone.get("/metrics", headers=BEARER).status_code == 200


def test_health_needs_no_token(anyone: TestClient):
    """It tells nothing."""
    assert anyone.get("/healthz").json() == {"status": "ok"}


def test_reports_need_the_token(anyone: TestClient):
    """Before a byte of them is read."""
    assert anyone.post("/api/v1/reports", content=b"x").status_code == 401


def test_a_cookie_lets_in(server: Server):
    """The page keeps no token."""
    assert logged_in(server).get("/api/v1/hosts").status_code == 200


def test_the_cookie_is_for_nobody_else(server: Server):
    """No script reads it, no other site has it sent, it goes with the browser."""
    answer = made_client(server).post("/api/v1/session", json={"token": TOKEN})
    (morsel,) = SimpleCookie(answer.headers["set-cookie"]).values()
    assert morsel["httponly"]
    assert morsel["samesite"] == "Strict"
    assert morsel["path"] == "/"
    assert not morsel["max-age"]
    assert not morsel["domain"]


def test_the_cookie_is_not_the_token(server: Server):
    """Nor has it anything of it."""
    assert TOKEN not in cookie_header(server.access)


def test_cookies_of_other_servers_are_not_ours(server: Server):
    """Each token has its own name and value: cookies know no ports."""
    other = Access("another-secret-0123456789", (), ())
    assert other.cookie_name != server.access.cookie_name
    cookie = f"{server.access.cookie_name}={other.session}"
    answer = made_client(server).get("/api/v1/hosts", headers={"cookie": cookie})
    assert answer.status_code == 401


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"token": 7}', b"\xff", b"x" * 5000])
def test_what_is_no_login_is_refused(anyone: TestClient, body: bytes):
    """And sets no cookie."""
    answer = anyone.post("/api/v1/session", content=body)
    assert answer.status_code in (413, 422)
    assert "set-cookie" not in answer.headers


def test_a_wrong_token_is_refused(anyone: TestClient):
    """And sets no cookie."""
    answer = anyone.post("/api/v1/session", json={"token": "x" * 40})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:4040", ""]
)
def test_a_foreign_host_is_refused(anyone: TestClient, host: str):
    """A name of somebody else's that leads here, even with the token: DNS rebinding."""
    for path in ("/api/v1/hosts", "/", "/healthz"):
        answer = anyone.get(path, headers=BEARER | {"host": host})
        assert answer.status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:4040", "LOCALHOST:1", "[::1]:4040"])
def test_our_names_are_ours(anyone: TestClient, host: str):
    """Whatever the port: a tunnel may have another."""
    assert anyone.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://127.0.0.1:4041",
        "http://localhost:4040",
        "127.0.0.1:4040",
    ],
)
def test_a_foreign_origin_is_refused(server: Server, origin: str):
    """A page of another site, even with the cookie or the token."""
    browser = logged_in(server)
    for headers in ({}, BEARER):
        answer = browser.get("/api/v1/hosts", headers=headers | {"origin": origin})
        assert answer.status_code == 403
    answer = browser.post("/api/v1/session", json={"token": TOKEN}, headers={"origin": origin})
    assert answer.status_code == 403


def test_a_cookie_changes_nothing_without_an_origin(server: Server):
    """Browsers say it with every request that is not a plain read."""
    browser = logged_in(server)
    assert browser.post("/api/v1/reports", content=b"x").status_code == 401
    ours = browser.post("/api/v1/reports", content=b"x", headers={"origin": ADDRESS})
    assert ours.status_code == 422


def test_feeds_are_for_our_pages(server: Server):
    """With the cookie from our origin, or with the token."""
    with logged_in(server) as browser:
        assert not opens_stream(browser)
        assert not opens_stream(browser, origin="https://evil.example")
        assert opens_stream(browser, origin=ADDRESS)
    with made_client(server) as anyone:
        assert not opens_stream(anyone, origin=ADDRESS)
        assert opens_stream(anyone, **BEARER)


@pytest.mark.parametrize("name", ["token", "t", "access_token", "Token"])
def test_a_token_in_the_address_is_refused(anyone: TestClient, name: str):
    """Even the right one, even beside the right header: addresses end in logs."""
    answer = anyone.get("/api/v1/hosts", params={name: TOKEN}, headers=BEARER)
    assert answer.status_code == 400
    assert TOKEN not in answer.text


@pytest.mark.parametrize("path", ["/", "/healthz", "/api/v1/hosts", "/nothing", "/metrics"])
def test_all_answers_have_the_headers(anyone: TestClient, path: str):
    """Refusals too."""
    headers = anyone.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_answers_are_kept_by_nobody(server: Server):
    """No cache has what was answered, or the cookie."""
    browser = logged_in(server)
    assert browser.get("/api/v1/hosts").headers["cache-control"] == "no-store"
    answer = browser.post("/api/v1/session", json={"token": TOKEN})
    assert answer.headers["cache-control"] == "no-store"


def test_no_secret_is_logged(server: Server, caplog: pytest.LogCaptureFixture, capfd: Any):
    """Not by any request that has one, right or wrong."""
    with caplog.at_level(logging.DEBUG):
        browser = logged_in(server)
        browser.get("/api/v1/hosts", headers=BEARER)
        browser.get("/api/v1/hosts", params={"token": TOKEN})
        browser.get("/api/v1/topology", params={"filter": "port:"}, headers=BEARER)
        made_client(server).post("/api/v1/session", json={"token": TOKEN + "x"})
    told = [record.getMessage() for record in caplog.records if not record.name.startswith("httpx")]
    out = capfd.readouterr()
    for text in (*told, out.out, out.err):
        assert TOKEN not in text
        assert server.access.session not in text


def test_a_short_token_is_none():
    """It could be guessed."""
    with pytest.raises(ValueError, match="16"):
        Access("short", (), ())
