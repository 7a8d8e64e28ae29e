"""Django's `migrate`, one process at a time.

Two concurrent first runs would both create the tables.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from krafter import private_files

# "krmi" in ASCII; differs from the keys of other advisory locks.
_LOCK = 0x6B726D69
_WAIT_SECONDS = 600
_PAUSE_SECONDS = 0.2


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        with _alone(connections[options["database"]]):
            super().handle(*args, **options)


@contextmanager
def _alone(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Wait until no other migration runs. Raises CommandError after ten minutes."""
    lock = _database_lock if connection.vendor == "postgresql" else _file_lock
    with lock(connection) as take:
        deadline = time.monotonic() + _WAIT_SECONDS
        while not take():
            if time.monotonic() > deadline:
                raise CommandError("Another migration still runs")
            time.sleep(_PAUSE_SECONDS)
        yield


@contextmanager
def _database_lock(connection: BaseDatabaseWrapper) -> Iterator[Any]:
    """An advisory lock on a separate connection; it is released when that closes."""
    own = connection.copy()
    own.settings_dict["OPTIONS"].pop("pool", None)

    def take() -> bool:
        with own.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
            return bool(cursor.fetchone()[0])

    try:
        yield take
    finally:
        own.close()


@contextmanager
def _file_lock(connection: BaseDatabaseWrapper) -> Iterator[Any]:
    """A lock file beside the database. SQLite's own lock is free between migrations."""
    name = str(connection.settings_dict["NAME"])
    if "memory" in name and not Path(name).exists():
        yield lambda: True
        return
    with private_files.kept(Path(f"{name}.migrating")) as file:

        def take() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        yield take
