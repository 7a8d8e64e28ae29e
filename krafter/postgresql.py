"""Connections to PostgreSQL that can be closed while a thread waits for an answer.

A frozen server, or one behind a network that drops packets, never answers.
PostgreSQL's time limits do not end that wait, and a fixed time limit of ours would also
end questions that legitimately take long. So `krafter.watch` detects the outage and
closes the connections.
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

    def execute(self, query: Any, *args: Any, **options: Any) -> psycopg.Cursor[Any]:
        """As psycopg's, but an idle connection needs no round trip for `""`.

        The pool sends that to check each connection that it hands out, which took a
        quarter of a small answer's time, and Django lets nobody choose another check. A
        connection that the server has closed is readable.
        """
        if query == "" and not _is_readable(self):
            return self.cursor()
        return super().execute(query, *args, **options)


class Probe(psycopg.Connection[Any]):
    """A connection on which no wait is longer than `seconds`."""

    seconds = 2.0

    def wait(
        self, gen: Any, interval: float = 0.1, timeout: float | None = None
    ) -> Any:
        return super().wait(gen, interval, self.seconds)

    def has_answer(self) -> bool:
        return _is_readable(self)


def _is_readable(connection: psycopg.Connection[Any]) -> bool:
    # Not select(), which takes no descriptor above 1,023.
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def opened() -> "list[psycopg.Connection[Any]]":
    with _lock:
        return [connection for connection in _open if not connection.closed]


def cut_off() -> None:
    """Close all connections: threads that wait on one get an OperationalError."""
    for connection in opened():
        with (
            suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(connection.fileno())) as shared,
        ):
            shared.shutdown(socket.SHUT_RDWR)
