# ruff: noqa: S603, S607, T201 a program that starts programs
"""Traffic that is worth a picture, until the standard input ends; with PYTHONPATH=. from the tree.

Two network namespaces joined by a link. On the right nginx, a program behind it and redis; on the
left those who ask them, one that nobody answers and one that is refused. Needs root.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.kernel.namespace import Namespace, NamespacePair

NGINX = """
daemon off; master_process on; worker_processes 2; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream app {{ server 127.0.0.1:8000; keepalive 4; }}
  server {{
    listen 80 reuseport;
    location / {{ proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    location /file {{ alias {folder}/file; }}
  }}
}}
"""

ASK = """
import http.client, itertools, time
connection = http.client.HTTPConnection("10.77.0.2", 80)
for turn in itertools.count():
    connection.request("GET", "/file" if turn % 8 == 0 else "/")
    connection.getresponse().read()
    time.sleep(0.05)
"""

APP = """
import http.server, socket, threading, time
def ask_redis(pause_s):
    redis = socket.create_connection(("127.0.0.1", 6379))
    while True:
        redis.sendall(b"PING\\r\\n" * 20)
        redis.recv(4096)
        time.sleep(pause_s)
threading.Thread(target=ask_redis, args=(0.05,), daemon=True).start()
class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b"x" * 4000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Page).serve_forever()
"""

NOBODY_ANSWERS = """
import socket, time
while True:
    try:
        socket.create_connection(("10.77.0.2", 5432), timeout=1.5)
    except OSError:
        time.sleep(0.5)
"""

CURL = "while :; do curl -s -o /dev/null {address}; sleep {pause}; done"


def main() -> None:
    """Starts all of it, says that it runs, and ends it when the standard input ends."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with (
        contextlib.ExitStack() as stack,
        tempfile.TemporaryDirectory(prefix="connscope-scene-") as name,
        NamespacePair() as pair,
    ):
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "file").write_bytes(bytes(300_000))
        (folder / "nginx.conf").write_text(NGINX.format(folder=name))
        pair.right.filter("tcp dport 5432 drop")

        def start(where: Namespace, *command: str) -> None:
            with where.entered():
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, start_new_session=True
                )
            stack.callback(end, process)

        start(
            pair.right,
            "redis-server",
            "--save",
            "",
            "--loglevel",
            "warning",
            "--bind",
            "127.0.0.1",
            "10.77.0.2",
            "--protected-mode",
            "no",
        )
        start(pair.right, sys.executable, "-c", APP)
        start(pair.right, "nginx", "-c", f"{name}/nginx.conf", "-p", name)
        start(
            pair.left,
            "sh",
            "-c",
            'until curl -s -o /dev/null 10.77.0.2; do sleep 0.1; done; exec "$0" -c "$1"',
            sys.executable,
            ASK,
        )
        start(pair.left, sys.executable, "-c", NOBODY_ANSWERS)
        start(pair.left, "sh", "-c", CURL.format(address="10.77.0.2", pause=4))
        start(pair.left, "sh", "-c", CURL.format(address="10.77.0.2:8080", pause=6))

        print("runs", flush=True)
        sys.stdin.read()


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a program and all that it started."""
    subprocess.run(["pkill", "-KILL", "-s", str(process.pid)], check=False)
    process.wait()


if __name__ == "__main__":
    main()
