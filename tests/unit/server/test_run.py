"""A server's process: its sockets, its token, who is at the other end."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx2
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from connscope.config import Config
from connscope.errors import ConfigError
from connscope.report.encode import encode
from connscope.server.run import open_sockets, page_url
from connscope.tokens import make_token, read_token
from tests.unit.server.process import running, speak
from tests.unit.server.reports import Machine, client

NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
SPEAK = (
    "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
    "s.sendall(sys.stdin.buffer.read()); print(s.recv(65536))"
)


def request(path: str, body: bytes = b"", *headers: str) -> bytes:
    """A POST, closing."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"{head}{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


def config(directory: Path, port: int = 0) -> Config:
    """Of a server in a directory."""
    return Config(server_port=port, server_socket=str(directory / "run" / "connscope.sock"))


def test_serves_reports_answers_and_feed(tmp_path: Path):
    """Over TCP, with the token that it printed."""
    with running(tmp_path) as server, server.client() as asker:
        content = encode(Machine().report(client()))
        assert asker.post("/api/v1/reports", content=content).status_code == 204
        assert asker.get("/api/v1/hosts").json()["hosts"][0]["connections"] == 1
        headers = {"authorization": f"Bearer {server.token}"}
        url = f"ws://127.0.0.1:{server.port}/api/v1/stream"
        with connect(
            url, subprotocols=[Subprotocol("connscope.v1")], additional_headers=headers
        ) as feed:
            feed.send(json.dumps({"t": "hello", "protocol": 1}))
            assert json.loads(feed.recv())["t"] == "welcome"
            feed.send(json.dumps({"t": "subscribe"}))
            assert json.loads(feed.recv())["t"] == "snapshot"


def test_binds_to_loopback(tmp_path: Path):
    """Nobody else on the network reaches it."""
    tcp, unix = open_sockets(config(tmp_path))
    with tcp, unix:
        assert tcp.getsockname()[0] == "127.0.0.1"


def test_logs_no_secret(tmp_path: Path):
    """Nor anything else, whatever is asked; the address with the token is printed once."""
    with running(tmp_path) as server, server.client() as asker:
        asker.get("/api/v1/hosts", params={"token": server.token})
        asker.post("/api/v1/session", json={"token": server.token})
        asker.get("/api/v1/nothing")
        asker.close()
        assert server.end()[1:] == ("", "")


def test_local_agents_need_no_token(tmp_path: Path):
    """Those of the same user, and only for reports."""
    with running(tmp_path) as server:
        content = encode(Machine().report(client()))
        assert speak(server.socket, request("/api/v1/reports", content)).startswith(b"HTTP/1.1 204")
        assert speak(server.socket, request("/api/v1/topology")).startswith(b"HTTP/1.1 401")
        assert stat.S_IMODE(server.socket.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_other_users_need_the_token():
    """Even where the file's mode would let them in."""
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as server:
        for path in (Path(name), server.socket):
            path.chmod(0o777)
        done = subprocess.run(
            [*AS_NOBODY, "/usr/bin/env", "python3", "-c", SPEAK, str(server.socket)],
            input=request("/api/v1/reports", b"x"),
            stdout=subprocess.PIPE,
            check=True,
        )
        assert b"401" in done.stdout


def test_nobody_becomes_local_by_a_header(tmp_path: Path):
    """A client's address is not what it says."""
    with running(tmp_path) as server:
        headers = {"x-forwarded-for": "unix", "forwarded": "for=unix", "x-real-ip": "unix"}
        url = f"http://127.0.0.1:{server.port}/api/v1/reports"
        assert httpx2.post(url, content=b"x", headers=headers).status_code == 401


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_by_signal_and_leaves_no_socket(tmp_path: Path, number: int):
    """With the code of the signal, and without a word."""
    with running(tmp_path) as server:
        with server.client() as asker:
            asker.get("/healthz")
        assert server.socket.exists()
        assert server.end(number) == (128 + number, "", "")
        assert not server.socket.exists()


def test_a_socket_left_behind_is_replaced(tmp_path: Path):
    """After a kill."""
    for opened in open_sockets(config(tmp_path)):
        opened.close()
    for opened in open_sockets(config(tmp_path)):
        opened.close()


def test_a_socket_in_use_is_left_alone(tmp_path: Path):
    """Another server's."""
    first = open_sockets(config(tmp_path))
    with first[0], first[1], pytest.raises(ConfigError, match="can not listen"):
        open_sockets(config(tmp_path))


def test_a_file_is_not_replaced(tmp_path: Path):
    """Whose path was given by mistake."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "connscope.sock").write_text("precious")
    with pytest.raises(ConfigError):
        open_sockets(config(tmp_path))
    assert (tmp_path / "run" / "connscope.sock").read_text() == "precious"


def test_a_port_in_use_is_named(tmp_path: Path):
    """With what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"{port}.*--port"):
            open_sockets(config(tmp_path, port))


def test_a_token_of_a_file(tmp_path: Path):
    """Nobody else may read it."""
    path = tmp_path / "token"
    path.write_text(f"{'x' * 20}\n")
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_token(path)
    path.chmod(0o600)
    assert read_token(path) == "x" * 20


@pytest.mark.parametrize("text", ["", "short", "with a space in it all", "ümlaut" * 9])
def test_a_bad_token_is_refused(tmp_path: Path, text: str):
    """It could be guessed, or not be sent."""
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        read_token(path)
    assert not text or text not in str(caught.value)


def test_a_missing_token_file_is_named(tmp_path: Path):
    """With its path."""
    with pytest.raises(ConfigError, match="nothing"):
        read_token(tmp_path / "nothing")


def test_tokens_differ():
    """And are long."""
    assert make_token() != make_token()
    assert len(make_token()) > 40


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:4040/#t=x"), ("::1", "http://[::1]:4040/#t=x")],
)
def test_the_page_has_the_token_after_the_hash(host: str, url: str):
    """What browsers never send."""
    assert page_url(Config(server_host=host), 4040, "x") == url


def test_serving_imports_no_capture():
    """The server is another process than the one with the privileges."""
    code = "import sys, connscope.server.run; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    rooms = {name.split(".")[1] for name in done.stdout.split() if name.startswith("connscope.")}
    assert rooms.isdisjoint({"kernel", "capture", "tracker", "identity", "agent", "cli"})
