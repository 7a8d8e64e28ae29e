"""What survives when a worker or the database is killed at a random moment.

    python -m benchmarks.crash [--kills 10]

Clients send events with ids of their own and retry each until it is
acknowledged. Meanwhile a worker of the service, and then the whole database
server, end by SIGKILL and start again, `--kills` times each. In the end each
acknowledged id must be in the table exactly once.
"""

import argparse
import json
import os
import random
import signal
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import psycopg

from benchmarks.ingest import COLLECT, MAKE_SITE, manage
from benchmarks.servers import Server, serve_service
from tests import postgres

CLIENTS = 16
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


class Database:
    """A PostgreSQL with fsync on that can be killed and started again."""

    def __init__(self, home: Path, *settings: str) -> None:
        self.port = port = postgres.free_port()
        self._home = home
        self._start = (
            *postgres.create(home),
            [
                f"port={port}",
                "listen_addresses=127.0.0.1",
                "unix_socket_directories=",
                *settings,
            ],
        )
        self._server = postgres.start(home, *self._start)
        self.url = f"postgres://krafter@127.0.0.1:{port}/postgres"

    def __enter__(self) -> Self:
        postgres.wait_for(self._server, self._home)
        return self

    def __exit__(self, *error: object) -> None:
        postgres.stop(self._server)

    def pids(self) -> list[int]:
        """Of its processes, the first one first."""
        children = Path(f"/proc/{self._server.pid}/task/{self._server.pid}/children")
        return [self._server.pid, *map(int, children.read_text().split())]

    def kill(self) -> None:
        """End all its processes at once, then start it: it recovers its log."""
        with self.down():
            pass

    @contextmanager
    def down(self) -> Iterator[None]:
        """Within, it has been killed; after that it has started again."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._server.wait()
        yield
        (self._home / "data" / "postmaster.pid").unlink(missing_ok=True)
        # What the dead server shared is found in use until its last child is gone.
        for _ in range(50):
            self._server = postgres.start(self._home, *self._start)
            time.sleep(0.2)
            if self._server.poll() is None:
                break
        postgres.wait_for(self._server, self._home)


class Clients:
    """Visitors whose events carry ids, each sent until it is acknowledged."""

    def __init__(self, url: str) -> None:
        self._url = url + COLLECT
        self._stop = threading.Event()
        self.acknowledged: list[str] = []
        self.retries = 0
        self._threads = [
            threading.Thread(target=self._send, args=(number,))
            for number in range(CLIENTS)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self, number: int) -> None:
        sent = 0
        while not self._stop.is_set():
            event_id = f"{number}-{sent}"
            event = {"site": "sk_abc123def456", "type": "event", "name": "paid"}
            body = json.dumps({**event, "id": event_id}).encode()
            while not self._is_accepted(body):
                if self._stop.is_set():
                    return
                self.retries += 1
                time.sleep(0.05)
            self.acknowledged.append(event_id)
            sent += 1

    def _is_accepted(self, body: bytes) -> bool:
        request = urllib.request.Request(
            self._url, body, {"User-Agent": AGENT, "Content-Type": "text/plain"}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return bool(response.status == 202)
        except OSError:
            return False


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    kills = parser.parse_args().kills
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Database(Path(folder)) as database,
    ):
        figures = crash(database, kills)
    for name, value in figures.items():
        print(f"{name:16} {value}")
    print(json.dumps(figures))


def crash(database: Database, kills: int) -> dict[str, int]:
    manage("migrate", "--verbosity", "0", database=database.url)
    manage("shell", "-v0", "-c", MAKE_SITE, database=database.url)
    with (
        serve_service(
            workers=2,
            threads=16,
            DATABASE_URL=database.url,
            RATE_LIMIT_COLLECT=str(10**9),
        ) as service,
        Clients(service.url) as clients,
    ):
        for _ in range(kills):
            time.sleep(random.uniform(6, 8))
            kill_a_worker(service)
        for _ in range(kills):
            time.sleep(random.uniform(0.5, 2))
            database.kill()
        time.sleep(1)
    with psycopg.connect(database.url) as connection:
        stored = Counter(
            event_id
            for (event_id,) in connection.execute(
                "SELECT event_id FROM analytics_event"
            )
        )
    return {
        "worker_kills": kills,
        "database_kills": kills,
        "acknowledged": len(clients.acknowledged),
        "retries": clients.retries,
        "stored": sum(stored.values()),
        "lost": sum(event_id not in stored for event_id in clients.acknowledged),
        "doubled": sum(times - 1 for times in stored.values()),
    }


def kill_a_worker(service: Server) -> None:
    before = service.workers
    os.kill(random.choice(before), signal.SIGKILL)
    # Granian starts another: wait, so that each kill meets a worker at work.
    for _ in range(600):
        time.sleep(0.1)
        if len(set(service.workers) - set(before)) == 1:
            return
    raise RuntimeError("the worker was not replaced")


if __name__ == "__main__":
    main()
