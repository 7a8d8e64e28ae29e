"""The checks of `/readyz`: database, migrations, clock and disk.

They use a connection of their own, so that busy threads and an exhausted pool do not
delay them.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from krafter import faults

# `/readyz` answers within a second.
CONNECT_SECONDS = 1.0
_STATEMENT_MILLISECONDS = 800
MAX_SKEW_SECONDS = 2.0
MIN_FREE_BYTES = 100 * 1024 * 1024


def problems(connect_seconds: float = CONNECT_SECONDS) -> dict[str, list[str]]:
    """Problems by check (`disk`, `migrations`, `clock`, `database`); empty if ready."""
    found = {"disk": _disk()}
    try:
        with own_connection(connect_seconds) as connection:
            for name, check in _CHECKS.items():
                found[name] = check(connection)
    except faults.ERRORS as error:
        found["database"] = [faults.cause(error)]
    return {name: told for name, told in found.items() if told}


@contextmanager
def own_connection(
    connect_seconds: float = CONNECT_SECONDS,
) -> Iterator[BaseDatabaseWrapper]:
    """A connection outside of the pool, with time limits."""
    connection = connections["default"].copy()
    options = connection.settings_dict["OPTIONS"]
    if connection.vendor == "postgresql":
        options.pop("pool", None)
        options["connect_timeout"] = max(1, int(connect_seconds))
        options["options"] = f"-c statement_timeout={_STATEMENT_MILLISECONDS}"
    else:
        options["timeout"] = _STATEMENT_MILLISECONDS / 1_000
    try:
        yield connection
    finally:
        connection.close()


def _database(connection: BaseDatabaseWrapper) -> list[str]:
    """Insert a row and roll back."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            try:
                cursor.execute(_WRITE)
            finally:
                cursor.execute("ROLLBACK")
    except OperationalError as error:
        # Another process is writing, so the file is writable.
        if str(error) != "database is locked":
            raise
    return []


_WRITE = (
    "INSERT INTO analytics_ratewindow (caller, minute, used) VALUES ('readyz', 0, 0)"
)


def missing_migrations(connection: BaseDatabaseWrapper) -> list[str]:
    applied = MigrationRecorder(connection).applied_migrations()
    missing = sorted(".".join(key) for key in _known_migrations() - applied.keys())
    return [f"Not applied: {', '.join(missing)}"] if missing else []


@cache
def _known_migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).disk_migrations or ())


def _clock(connection: BaseDatabaseWrapper) -> list[str]:
    """Compare the database's clock with this machine's. SQLite has none."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        before = time.time()
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        theirs = float(cursor.fetchone()[0])
        skew = theirs - (before + time.time()) / 2
    if abs(skew) <= MAX_SKEW_SECONDS:
        return []
    return [f"The database's clock is {skew:+.1f} seconds off"]


def _disk() -> list[str]:
    folder: Path = settings.DATA_DIR
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return [] if free >= MIN_FREE_BYTES else [f"{free // 1024 // 1024} MB are free"]


_CHECKS: dict[str, Callable[[BaseDatabaseWrapper], list[str]]] = {
    "migrations": missing_migrations,
    "clock": _clock,
    "database": _database,
}
