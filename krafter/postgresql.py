"""Connections to PostgreSQL that can be cut off while somebody waits for an answer.

A server that is frozen, or behind a network that swallows packets, acknowledges what it
is sent and never answers. No time limit of its own ends that wait, and none of ours
may: a long question is answered late, but it is.
"""

import os
import select
import socket
import threading
from contextlib import suppress
from typing import Any, Self
from weakref import WeakSet

import psycopg

_lock = threading.Lock()
_open: "WeakSet[psycopg.Connection[Any]]" = WeakSet()


class Connection(psycopg.Connection[Any]):
    @classmethod
    def connect(cls, conninfo: str = "", **options: Any) -> Self:
        made = super().connect(conninfo, **options)
        with _lock:
            _open.add(made)
        return made


class Probe(psycopg.Connection[Any]):
    """On it no wait is longer than `seconds`."""

    seconds = 2.0

    def wait(
        self, gen: Any, interval: float = 0.1, timeout: float | None = None
    ) -> Any:
        return super().wait(gen, interval, self.seconds)

    def has_answer(self) -> bool:
        return bool(select.select([self.fileno()], [], [], 0)[0])


def opened() -> "list[psycopg.Connection[Any]]":
    with _lock:
        return [connection for connection in _open if not connection.closed]


def cut_off() -> None:
    """End all waits for the server, in whatever thread: they raise OperationalError."""
    for connection in opened():
        with (
            suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(connection.fileno())) as shared,
        ):
            shared.shutdown(socket.SHUT_RDWR)
