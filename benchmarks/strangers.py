"""What a stranger can do to everybody else, as times of the others' requests.

    python -m benchmarks.strangers [attack ...] [--behind nginx] [--checkout FOLDER]

Each attack is made on a new server with SQLite, `manage.py serve` with its
defaults, from addresses of the loopback range. While it lasts a visitor loads the
script, sends an event and a program asks the API, each every 50 ms: shown are
the slowest of their answers in seconds (GIVEN_UP: none) before, during and after,
and what became of the attack. It fails if an answer took longer than MAX_SECONDS
while the attack lasted, or if what is limited went through. All take about four
minutes, one about 40 seconds.

`--behind`: attack and visitors go through the shipped configuration of nginx or Caddy.
`--checkout`: another checkout of this project, such as `git worktree add ../before
COMMIT`, to compare with.
"""

import argparse
import contextlib
import http.client
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
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.ingest import COLLECT, MAKE_SITE
from benchmarks.proxies import HOST, PROXIES, Proxy
from benchmarks.servers import ROOT, START_SECONDS, free_port

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
GIVEN_UP = 10.0
SECONDS = 6.0
MAX_SECONDS = 0.2
EVENT = b'{"site":"sk_abc123def456","type":"pageview","url":"https://example.com/"}'
API = "/api/v1/analytics/sites"


class Service:
    """A server of a checkout, with a site and a key."""

    def __init__(self, checkout: Path, folder: str, **settings: str) -> None:
        self.port = free_port()
        # That the attack and the visitors go through.
        self.proxy: Proxy | None = None
        self._checkout = checkout
        self._environment = {
            **os.environ,
            "DATABASE_URL": f"sqlite:///{folder}/krafter.sqlite3",
            "DATA_DIR": folder,
            "PORT": str(self.port),
            "ALLOWED_HOSTS": f"127.0.0.1,localhost,{HOST}",
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
        deadline = time.monotonic() + START_SECONDS
        while self.ask("/a.js") >= GIVEN_UP:
            if time.monotonic() > deadline:
                self.stop()
                raise RuntimeError("the server did not answer")
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
        begun = time.perf_counter()
        try:
            status = self.status(path, body)
        except (OSError, http.client.HTTPException):
            return GIVEN_UP
        return time.perf_counter() - begun if status < 400 else GIVEN_UP

    def status(
        self, path: str, body: bytes | None = None, key: str | None = None
    ) -> int:
        """The status of an answer, which is read."""
        headers = {"User-Agent": AGENT, "Authorization": f"Bearer {key or self.key}"}
        connection = http.client.HTTPConnection(
            HOST if self.proxy else f"127.0.0.1:{self.port}", timeout=GIVEN_UP
        )
        with contextlib.closing(connection):
            connection.sock = self.connect()
            connection.request("POST" if body else "GET", path, body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """To the proxy, if there is one."""
        if self.proxy:
            return self.proxy.connect(source)
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
        client = service.connect(f"127.0.0.{10 + number % 50}")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
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


# Attacks by requests that are complete, but many


class Flood(NamedTuple):
    """`send` makes the requests, and tells how many got through of `most`."""

    send: Callable[[Service], int]
    most: int
    settings: dict[str, str]


def claimed_addresses(service: Service) -> int:
    """1,000 events of one client, through a trusted proxy, each claiming an address."""
    accepted = 0
    for number in range(1_000):
        claims = "" if service.proxy else "X-Forwarded-For: 198.51.100.7\r\n"
        claims += "".join(
            f"{name}: 203.0.{number // 250}.{number % 250}\r\n"
            for name in ("X_Forwarded_For", "X-Forwarded_For", "X-Real-IP")
        )
        status = _told(service, "127.0.0.2", claims, EVENT)
        accepted += status == 202
    return accepted


def new_names(service: Service) -> int:
    """3,000 pages that nobody has seen before; how many are in the dictionary."""

    def send(first: int) -> None:
        for number in range(first, 3_000, 8):
            url = f'"https://example.com/{number}"'
            body = EVENT.replace(b'"https://example.com/"', url.encode())
            _told(service, f"127.0.0.{10 + first}", "", body)

    threads = [threading.Thread(target=send, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    count = "from analytics.models import EventName; print(EventName.objects.count())"
    return int(service.manage("shell", "-v0", "-c", count))


def guessed_keys(service: Service) -> int:
    """200 API keys that do not exist, of one address; how many were looked up."""
    statuses = [service.status(API, key=f"kr_live_{n:043}") for n in range(200)]
    return statuses.count(401)


def guessed_passwords(service: Service) -> int:
    """60 attempts to sign in; how many passwords were looked at."""
    looked_at = 0
    body = b"username=admin&password=wrong&csrfmiddlewaretoken=" + b"x" * 32
    claims = f"Cookie: csrftoken={'x' * 32}\r\n"
    for _ in range(60):
        status = _told(service, "127.0.0.30", claims, body, path="/admin/login/")
        looked_at += status == 200
    return looked_at


def _told(
    service: Service, source: str, headers: str, body: bytes, path: str = COLLECT
) -> int:
    """The status of a request, whose headers are sent as they are."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: {AGENT}\r\n{headers}"
        f"Referer: https://{HOST}/\r\nConnection: close\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    try:
        with service.connect(source) as client:
            client.sendall(head.encode() + body)
            return int(client.recv(64).split()[1])
    except (OSError, IndexError):
        return 0


FLOODS = {
    # The visitor keeps within the limit of a minute, of which the attack may see two.
    "claimed_addresses": Flood(
        claimed_addresses, 400, {"RATE_LIMIT_COLLECT": "200", "IPV6_PREFIX": "64"}
    ),
    # The page of the visitor, and `(other)`.
    "new_names": Flood(new_names, 502, {"MAX_NEW_PATHS": "500"}),
    # The limit is of a minute, of which the attack may see two.
    "guessed_keys": Flood(guessed_keys, 40, {}),
    "guessed_passwords": Flood(guessed_passwords, 20, {}),
}


@contextlib.contextmanager
def serving(checkout: Path, behind: str | None, **settings: str) -> Iterator[Service]:
    trusted = "127.0.0.1" if behind else "127.0.0.2"
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        )
        service = Service(checkout, folder, TRUSTED_PROXIES=trusted, **settings)
        stack.callback(service.stop)
        if behind:
            service.proxy = stack.enter_context(
                PROXIES[behind](f"127.0.0.1:{service.port}", Path(folder))
            )
        yield service


def measure_flood(checkout: Path, behind: str | None, flood: Flood) -> dict[str, Any]:
    with serving(checkout, behind, **flood.settings) as service:
        quiet = _slowest(service, 1.0)
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(flood.send, service)
            during = _slowest(service, SECONDS)
            got_through = sending.result()
        after = _slowest(service, 0.5)
    return {
        "quiet": quiet,
        "during": during,
        "after": after,
        "got_through": got_through,
        "may_get_through": flood.most,
    }


def measure(
    checkout: Path, behind: str | None, attack: Callable[[Service], Connections]
) -> dict[str, Any]:
    with serving(checkout, behind) as service:
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
    every = [*ATTACKS, *FLOODS]
    parser.add_argument("attacks", nargs="*", choices=[[], *every], default=[])
    parser.add_argument("--behind", choices=[*PROXIES])
    parser.add_argument("--checkout", type=Path, default=ROOT)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8_192), most))
    began = time.monotonic()
    where = options.checkout.resolve(), options.behind
    figures = {}
    for name in options.attacks or every:
        if name in FLOODS:
            figures[name] = measure_flood(*where, FLOODS[name])
        else:
            figures[name] = measure(*where, ATTACKS[name])
        print(name)
        for what, value in figures[name].items():
            print(f"  {what:20} {value}", flush=True)
    wrong = [
        f"{name}: {fault}" for name, row in figures.items() for fault in _wrong(row)
    ]
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    seconds = round(time.monotonic() - began)
    print(json.dumps({"seconds": seconds, "attacks": figures, "wrong": wrong}))
    sys.exit(1 if wrong else 0)


def _wrong(row: dict[str, Any]) -> Iterator[str]:
    for who, seconds in row["during"].items():
        if seconds > MAX_SECONDS:
            yield f"{who} took {seconds} s"
    if row.get("still_open_then"):
        yield f"{row['still_open_then']} connections were open half a minute later"
    if row.get("got_through", 0) > row.get("may_get_through", 0):
        yield f"{row['got_through']} got through"


if __name__ == "__main__":
    main()
