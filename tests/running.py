"""The whole service on a database of its own: several processes, real sockets."""

import atexit
import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from benchmarks.servers import ROOT, Server, serve_service

BASE = "/api/v1/analytics"


class Answer(NamedTuple):
    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def _ask(request: urllib.request.Request) -> Answer:
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


class Service:
    """A running service, and calls to it with a key that may do everything."""

    def __init__(
        self, server: Server, secret: str, environment: dict[str, str] | None = None
    ) -> None:
        self.server = server
        self._environment = environment or {}
        self.url = server.url + BASE
        self.secret = secret

    def __call__(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> Answer:
        return self.send(
            method,
            path,
            None if body is None else json.dumps(body).encode(),
            {
                "Authorization": f"Bearer {self.secret}",
                "Content-Type": "application/json",
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )

    def manage(self, *arguments: str, **environment: str) -> str:
        """What a command of manage.py prints on the service's database."""
        return _manage({**self._environment, **environment}, *arguments)

    def open(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        """Without the key, from the root of the service."""
        url = self.server.url + path
        return _ask(urllib.request.Request(url, headers=headers, method=method))

    def send(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> Answer:
        """Without the key, and with the body as it is."""
        return _ask(
            urllib.request.Request(self.url + path, body, headers, method=method)
        )

    def new_site(self, domain: str | None = None) -> str:
        """The key of a new one; of one that there may be, if a domain is given."""
        for site in self("GET", "/sites").json()["data"] if domain else []:
            if site["domain"] == domain:
                return str(site["site_key"])
        body = {"domain": domain or f"{uuid.uuid4().hex}.example", "name": "Service"}
        return str(self("POST", "/sites", body).json()["data"]["site_key"])


@contextlib.contextmanager
def running(
    folder: Path, *, workers: int = 2, kind: str | None = None, **settings: str
) -> Iterator[Service]:
    """Serve from a new database of the kind that the tests run on, or of another.

    `kind`: the URL of a database of a PostgreSQL, or nothing for SQLite.
    """
    if kind is None:
        kind = os.environ.get("DATABASE_URL", "")
    template, secret = _template(kind)
    with _database(kind, folder, template) as database_url:
        environment = {
            "DATABASE_URL": database_url,
            "DATA_DIR": str(folder),
            "RATE_LIMIT_API": "0",
            "RATE_LIMIT_COLLECT": "0",
            **settings,
        }
        with serve_service(workers=workers, threads=8, **environment) as server:
            yield Service(server, secret, environment)


@functools.cache
def _template(kind: str) -> tuple[str, str]:
    """A database that is only copied, which takes a tenth of migrating, and its key."""
    cleanup = contextlib.ExitStack()
    atexit.register(cleanup.close)
    folder = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="krafter-"))
    url = cleanup.enter_context(_database(kind, Path(folder)))
    environment = {"DATABASE_URL": url, "DATA_DIR": folder}
    _manage(environment, "migrate", "--verbosity", "0")
    secret = _manage(environment, "create_token", "--name", "tests", "--scopes", "*")
    return url, secret.strip()


def _manage(environment: dict[str, str], *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@contextlib.contextmanager
def _database(kind: str, folder: Path, template: str = "") -> Iterator[str]:
    """A new one of the kind, empty or a copy."""
    if not kind.startswith("postgres"):
        path = folder / "service.sqlite3"
        if template:
            shutil.copy(template.removeprefix("sqlite:///"), path)
        yield f"sqlite:///{path}"
        return
    name = f"{'service' if template else 'template'}_{uuid.uuid4().hex}"
    server = kind.rpartition("/")[0]
    # The other strategy forgets, if the server is killed, how far sequences were.
    copied = f"{template.rpartition('/')[2] or 'template1'} strategy file_copy"
    with psycopg.connect(kind, autocommit=True) as connection:
        connection.execute(f"create database {name} template {copied}")
        try:
            yield f"{server}/{name}"
        finally:
            # A server that is gone by then has taken it along.
            with contextlib.suppress(psycopg.OperationalError):
                connection.execute(f"drop database {name} with (force)")
