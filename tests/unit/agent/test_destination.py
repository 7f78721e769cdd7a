"""Where reports go, and what becomes of them there."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from connscope.agent.destination import Answer, Destination
from connscope.agent.place import Place, find_place
from tests.unit.agent.answering import Answering, answer, answering, close_at_once

TOKEN = "-".join(("this", "is", "of", "one", "host"))


def at(port: int, timeout_s: float = 10, *, secure: bool = False) -> Destination:
    """A server of this machine's loopback."""
    return Destination(Place("", "127.0.0.1", port, secure), TOKEN, timeout_s)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (204, Answer.TAKEN),
        (409, Answer.NEEDS_FULL),
        (429, Answer.SLOWER),
        *((status, Answer.REFUSED) for status in (400, 413, 415, 422)),
        *((status, Answer.LATER) for status in (301, 401, 403, 404, 500, 502, 503)),
    ],
)
def test_meanings(status: int, meaning: Answer):
    """Of each status; what a mended server or token would take is kept."""
    with answering(Answering(answer(status, b"why" if status != 204 else b""))) as port:
        destination = at(port)
        assert destination.send(b"report") is meaning
        assert f"answered {status} why" in destination.reason or status == 204
        destination.close()


def test_sends_the_report_with_its_token():
    """Over one connection for all of them."""
    server = Answering(answer(204))
    with answering(server) as port:
        destination = at(port)
        assert [destination.send(each) for each in (b"one", b"two")] == [Answer.TAKEN] * 2
        assert (server.bodies, server.connections) == ([b"one", b"two"], 1)
        assert f"Bearer {TOKEN}" in server.heads[0]
        assert server.heads[0].startswith("POST /api/v1/reports ")
        destination.close()


def test_says_how_long_a_report_waited():
    """In milliseconds, also when it is sent again over another connection."""
    server = Answering(answer(204, then=False), answer(204))
    with answering(server) as port:
        destination = at(port)
        assert destination.send(b"at once") is Answer.TAKEN
        assert destination.send(b"later", 61.5) is Answer.TAKEN
        said = [re.findall(r"(?im)^connscope-age-ms: (\S+)", head) for head in server.heads]
        assert (said[0], said[-1]) == (["0"], ["61500"])
        destination.close()


def test_over_a_unix_socket(tmp_path: Path):
    """Without a token: the server sees who we are."""
    server, path = Answering(answer(204)), str(tmp_path / "socket")
    with answering(server, path):
        destination = Destination(find_place("", path, plaintext=False))
        assert destination.send(b"report") is Answer.TAKEN
        assert "Bearer" not in server.heads[0]
        assert str(destination) == path
        destination.close()


def test_nobody_there(tmp_path: Path):
    """It is said where and why."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    unix = Destination(find_place("", str(tmp_path / "socket"), plaintext=False))
    for destination, reason in ((at(port), "Connection refused"), (unix, "No such file")):
        assert destination.send(b"report") is Answer.LATER
        assert f"{destination} can not be reached: {reason}" in destination.reason


def test_a_server_that_says_nothing():
    """We do not wait for ever."""

    def sleep(peer: socket.socket) -> bool:
        return not peer.recv(1)

    with answering(Answering(sleep)) as port:
        began_s = time.monotonic()
        assert at(port, 0.1).send(b"report") is Answer.LATER
        assert time.monotonic() - began_s < 5


def test_a_connection_that_the_server_grew_tired_of_is_opened_again():
    """That is no failure: a report every five minutes would make a message each time."""
    server = Answering(answer(204, then=False))
    with answering(server) as port:
        destination = at(port)
        assert [destination.send(b"%d" % each) for each in range(3)] == [Answer.TAKEN] * 3
        assert server.bodies == [b"0", b"1", b"2"]
        destination.close()


def test_a_server_that_closes_instead_of_answering():
    """It is tried once, not for ever."""
    server = Answering(close_at_once)
    with answering(server) as port:
        assert at(port).send(b"report") is Answer.LATER
        assert server.connections == 1


def test_an_answer_that_ends_in_its_middle():
    """Nobody knows if it was taken: it is sent again, and the server knows it then."""

    def half(peer: socket.socket) -> bool:
        peer.sendall(b"HTTP/1.1 20")
        return False

    with answering(Answering(half)) as port:
        assert at(port).send(b"report") is Answer.LATER


def test_an_answer_without_end():
    """Nobody reads it, and the next report has another connection."""

    def pour(peer: socket.socket) -> bool:
        peer.sendall(b"HTTP/1.1 500 x\r\nContent-Length: 9999999999\r\n\r\n" + b"x" * 100_000)
        return False

    server = Answering(pour, answer(204))
    with answering(server) as port:
        destination = at(port)
        assert destination.send(b"report") is Answer.LATER
        assert len(destination.reason) < 500
        assert destination.send(b"report") is Answer.TAKEN
        destination.close()


def test_what_a_server_says_can_not_move_a_cursor():
    """It goes to a terminal."""
    with answering(Answering(answer(422, b"\x1b[2Jgone"))) as port:
        destination = at(port)
        destination.send(b"report")
        assert "\x1b" not in destination.reason
        destination.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With its key, signed by itself."""
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = [*command.split(), *names, "-keyout", str(path), "-out", str(path) + ".cert"]
    subprocess.run(made, check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.cert").read_text())
    return path


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path):
    """Neither report nor token goes there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = Answering(answer(204))
    with answering(server, context=context) as port:
        destination = at(port, secure=True)
        assert destination.send(b"report") is Answer.LATER
        assert "certificate is not to be trusted: self-signed" in destination.reason
        assert not server.bodies


def test_a_certificate_that_the_machine_trusts(certificate: Path, monkeypatch: pytest.MonkeyPatch):
    """The same server, once its certificate is among the trusted ones."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = Answering(answer(204))
    with answering(server, context=context) as port:
        destination = at(port, secure=True)
        assert destination.send(b"report") is Answer.TAKEN
        destination.close()
