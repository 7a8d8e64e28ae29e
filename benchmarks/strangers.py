"""What a stranger can do to everybody else, as times of the others' requests.

    python -m benchmarks.strangers [attack ...] [--checkout FOLDER]

Each attack is made on a new server with SQLite, `manage.py serve` with its
defaults, from addresses of the loopback range. While it lasts a visitor loads the
script, sends an event and a program asks the API, each every 50 ms: shown are
the slowest of their answers in seconds (GIVEN_UP: none), and what became of the
attack. `--checkout`: another checkout of this project, such as
`git worktree add ../before COMMIT`, to compare with.
"""

import argparse
import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.ingest import COLLECT, MAKE_SITE
from benchmarks.servers import ROOT, free_port

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
GIVEN_UP = 10.0
SECONDS = 6.0
EVENT = b'{"site":"sk_abc123def456","type":"pageview","url":"https://example.com/"}'
API = "/api/v1/analytics/sites"


class Service:
    """A server of a checkout, with a site and a key."""

    def __init__(self, checkout: Path, folder: str, **settings: str) -> None:
        self.port = free_port()
        self._checkout = checkout
        self._environment = {
            **os.environ,
            "DATABASE_URL": f"sqlite:///{folder}/krafter.sqlite3",
            "DATA_DIR": folder,
            "PORT": str(self.port),
            "RATE_LIMIT_COLLECT": str(10**6),
            "RATE_LIMIT_API": str(10**6),
            **settings,
        }
        self.manage("migrate", "--verbosity", "0")
        self.manage("shell", "-v0", "-c", MAKE_SITE)
        self.key = self.manage("create_token", "--name=x", "--scopes=*")
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=checkout,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(300):
            if self.ask("/a.js") < GIVEN_UP:
                break
            time.sleep(0.1)
        self.ask(COLLECT, EVENT)
        self.ask(API)

    def manage(self, *arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self._checkout,
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def ask(self, path: str, body: bytes | None = None) -> float:
        """How long a good answer takes; GIVEN_UP if none comes."""
        headers = {"User-Agent": AGENT, "Authorization": f"Bearer {self.key}"}
        url = f"http://127.0.0.1:{self.port}{path}"
        begun = time.perf_counter()
        try:
            request = urllib.request.Request(url, body, headers)
            with urllib.request.urlopen(request, timeout=GIVEN_UP) as answer:
                answer.read()
        except (OSError, urllib.error.URLError):
            return GIVEN_UP
        return time.perf_counter() - begun

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        return socket.create_connection(
            ("127.0.0.1", self.port), timeout=GIVEN_UP, source_address=(source, 0)
        )

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            # Its workers end with it, or by this: they are its children.
            children = Path(
                f"/proc/{self.process.pid}/task/{self.process.pid}/children"
            )
            for pid in [*map(int, children.read_text().split()), self.process.pid]:
                os.kill(pid, signal.SIGKILL)
            self.process.wait()


Connections = list[socket.socket]


def http_2(service: Service) -> Connections:
    """A preface, SETTINGS, 16 HEADERS with DATA that never ends; then closed."""
    with service.connect() as client:
        client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, b""))
        # POST, http, /api/v1/analytics/collect, an authority: without an index.
        path = COLLECT.encode()
        block = b"\x83\x86\x04" + bytes([len(path)]) + path + b"\x01\x01a"
        for number in range(16):
            stream = 2 * number + 1
            client.sendall(_frame(1, 4, stream, block) + _frame(0, 0, stream, b"{"))
        time.sleep(0.5)
    return []


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return (
        len(payload).to_bytes(3, "big")
        + bytes([kind, flags])
        + stream.to_bytes(4, "big")
        + payload
    )


def half_sent_bodies(service: Service) -> Connections:
    """500 from 50 addresses: to /collect, the API and the admin's login."""
    return [
        _send(
            service,
            f"POST {(COLLECT, API, '/admin/login/')[number % 3]} HTTP/1.1\r\n"
            "Host: localhost\r\nContent-Length: 5000\r\n\r\n{",
            number,
        )
        for number in range(500)
    ]


def half_sent_heads(service: Service) -> Connections:
    """500 from 50 addresses."""
    return [_send(service, "GET /a.js HT", number) for number in range(500)]


def idle_connections(service: Service) -> Connections:
    """2,000 from 50 addresses."""
    return [_send(service, "", number) for number in range(2_000)]


def huge_bodies(service: Service) -> Connections:
    """16 files of 100 MB, through the admin's login, one after the other's start."""
    clients = []
    for number in range(16):
        client = _send(
            service,
            "POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\n"
            f"Content-Length: {100 * 1024 * 1024}\r\n\r\n"
            '--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n',
            number,
        )
        clients.append(client)
        threading.Thread(target=_pour, args=(client,), daemon=True).start()
    return clients


def unread_answers(service: Service) -> Connections:
    """64 long answers of which nobody reads more than a few kilobytes."""
    clients = []
    for number in range(64):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.bind((f"127.0.0.{10 + number % 50}", 0))
        client.connect(("127.0.0.1", service.port))
        client.sendall(
            b"GET /static/admin/css/base.css HTTP/1.1\r\nHost: x\r\n\r\n" * 9
        )
        clients.append(client)
    return clients


def _pour(client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        for _ in range(100):
            client.sendall(b"x" * 1024 * 1024)


def _send(service: Service, text: str, number: int) -> socket.socket:
    client = service.connect(f"127.0.0.{10 + number % 50}")
    client.sendall(text.encode())
    return client


ATTACKS: dict[str, Callable[[Service], Connections]] = {
    attack.__name__: attack
    for attack in (
        http_2,
        half_sent_bodies,
        half_sent_heads,
        idle_connections,
        huge_bodies,
        unread_answers,
    )
}


@contextlib.contextmanager
def serving(checkout: Path) -> Iterator[Service]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        service = Service(checkout, folder)
        try:
            yield service
        finally:
            service.stop()


def measure(checkout: Path, attack: Callable[[Service], Connections]) -> dict[str, Any]:
    with serving(checkout) as service:
        quiet = _slowest(service, 1.0)
        connections: Connections = []
        error = ""
        try:
            connections = attack(service)
        except OSError as failure:
            error = str(failure)
        during = _slowest(service, SECONDS)
        time.sleep(30 if connections else 0)
        still_open = sum(_is_open(client) for client in connections)
        after = _slowest(service, 0.5)
        for client in connections:
            client.close()
    return {
        "quiet": quiet,
        "during": during,
        "half_a_minute_later": after,
        "connections": len(connections),
        "still_open_then": still_open,
    } | ({"attack_failed": error} if error else {})


def _slowest(service: Service, seconds: float) -> dict[str, float]:
    calls: dict[str, Callable[[], float]] = {
        "script": lambda: service.ask("/a.js"),
        "collect": lambda: service.ask(COLLECT, EVENT),
        "api": lambda: service.ask(API),
    }
    slowest = dict.fromkeys(calls, 0.0)

    def watch(name: str) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            slowest[name] = max(slowest[name], calls[name]())
            time.sleep(0.05)

    threads = [threading.Thread(target=watch, args=(name,)) for name in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {name: round(value, 3) for name, value in slowest.items()}


def _is_open(client: socket.socket) -> bool:
    client.settimeout(0)
    try:
        while data := client.recv(1 << 20):
            del data
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("attacks", nargs="*", choices=[[], *ATTACKS], default=[])
    parser.add_argument("--checkout", type=Path, default=ROOT)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8_192), most))
    figures = {}
    for name in options.attacks or ATTACKS:
        figures[name] = measure(options.checkout.resolve(), ATTACKS[name])
        print(name)
        for what, value in figures[name].items():
            print(f"  {what:20} {value}", flush=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
