"""Faults of the databases, processes and clocks that a service stands on.

Each is a context manager: within it something is broken, after it it is whole again.
"""

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.crash import Database, kill_a_worker
from benchmarks.servers import Server, free_port


class Proxy:
    """Between the service and its database; it can swallow what is sent."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._is_open = threading.Event()
        self._is_open.set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                near.close()
                continue
            for one, other in ((near, far), (far, near)):
                threading.Thread(
                    target=self._pass, args=(one, other), daemon=True
                ).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65_536):
                # Acknowledged by the kernel, and never passed on.
                self._is_open.wait()
                other.sendall(data)
        for each in (one, other):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def swallow(self) -> None:
        self._is_open.clear()

    def pass_on(self) -> None:
        self._is_open.set()

    def close(self) -> None:
        self._is_open.set()
        self._listener.close()


@dataclass
class Stage:
    """What a fault may be done to."""

    service: Server
    url: str
    database: Database | None = None
    proxy: Proxy | None = None
    redis: "subprocess.Popen[bytes] | None" = None
    folder: Path | None = None

    def execute(self, *statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)


Fault = Callable[[Stage], AbstractContextManager[None]]


@contextlib.contextmanager
def stopped(stage: Stage) -> Iterator[None]:
    """The server is down."""
    assert stage.database is not None
    with stage.database.down():
        yield


@contextlib.contextmanager
def frozen(stage: Stage) -> Iterator[None]:
    """All its processes stand still (SIGSTOP)."""
    assert stage.database is not None
    pids = stage.database.pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def swallowed(stage: Stage) -> Iterator[None]:
    """Packets to and from it vanish."""
    assert stage.proxy is not None
    stage.proxy.swallow()
    try:
        yield
    finally:
        stage.proxy.pass_on()


@contextlib.contextmanager
def read_only(stage: Stage) -> Iterator[None]:
    """It takes no writes."""
    set_to = "ALTER SYSTEM SET default_transaction_read_only = "
    stage.execute(set_to + "on", "SELECT pg_reload_conf()")
    try:
        yield
    finally:
        stage.execute(
            "SET default_transaction_read_only = off",
            set_to + "off",
            "SELECT pg_reload_conf()",
        )


@contextlib.contextmanager
def full(stage: Stage) -> Iterator[None]:
    """It says that its disk is full, to whoever writes an event."""
    stage.execute(
        "CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE 'could not extend file: No space left on device'"
        " USING ERRCODE = '53100'; END $$",
        "CREATE TRIGGER full_disk BEFORE INSERT ON analytics_event"
        " EXECUTE FUNCTION full_disk()",
        "CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON analytics_ratewindow"
        " EXECUTE FUNCTION full_disk()",
    )
    try:
        yield
    finally:
        stage.execute(
            "DROP TRIGGER full_disk ON analytics_event",
            "DROP TRIGGER full_disk ON analytics_ratewindow",
        )


@contextlib.contextmanager
def out_of_connections(stage: Stage) -> Iterator[None]:
    """Others hold all its connections, and the service has lost its own."""
    held: list[psycopg.Connection[Any]] = []
    with psycopg.connect(stage.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                held.append(psycopg.connect(stage.url))
        try:
            yield
        finally:
            for each in held:
                each.close()


@contextlib.contextmanager
def restarting(stage: Stage) -> Iterator[None]:
    """It is killed, and starts again at once."""
    assert stage.database is not None
    stage.database.kill()
    yield


@contextlib.contextmanager
def flapping(stage: Stage) -> Iterator[None]:
    """It is killed and started, again and again."""
    assert stage.database is not None
    for _ in range(3):
        stage.database.kill()
        time.sleep(0.3)
    yield


@contextlib.contextmanager
def worker_killed(stage: Stage) -> Iterator[None]:
    """A worker is killed."""
    kill_a_worker(stage.service)
    yield


@contextlib.contextmanager
def full_disk(stage: Stage) -> Iterator[None]:
    """The disk of SQLite's file is full."""
    assert stage.folder is not None
    filler = stage.folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4_096))
    try:
        yield
    finally:
        filler.unlink()


@contextlib.contextmanager
def locked(stage: Stage) -> Iterator[None]:
    """Somebody else holds SQLite's lock for writing."""
    with contextlib.closing(
        sqlite3.connect(stage.url.removeprefix("sqlite:///"), timeout=20)
    ) as connection:
        connection.isolation_level = None
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")


@contextlib.contextmanager
def nothing(stage: Stage) -> Iterator[None]:
    """Only a second service whose clock is wrong, from the start."""
    yield


@contextlib.contextmanager
def reloaded(stage: Stage) -> Iterator[None]:
    """SIGHUP: the workers are replaced, and nobody is refused."""
    stage.service.process.send_signal(signal.SIGHUP)
    yield


@contextlib.contextmanager
def redis_frozen(stage: Stage) -> Iterator[None]:
    """The Redis that counts the limits stands still (SIGSTOP)."""
    assert stage.redis is not None
    stage.redis.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        stage.redis.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def redis_server() -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """A Redis that keeps nothing on the disk, and its URL."""
    port = free_port()
    process = subprocess.Popen(
        [
            *("redis-server", "--port", str(port), "--bind", "127.0.0.1"),
            *("--save", "", "--appendonly", "no"),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process, f"redis://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
