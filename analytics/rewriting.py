"""Deleting rows so that no file of the database holds their bytes any more.

DELETE leaves them in the pages of the table until something else needs the room. Here
the rows that stay are written anew, and the old pages are given up as a whole. For
unlogged tables, whose rows are few and not needed for ever.
"""

import logging
from typing import Any

from django.db import connection, models, transaction
from django.db.models import Q

# How long it waits for those who use the table; it is to be tried again.
_LOCK_WAIT = "2s"
_BATCH = 5_000

logger = logging.getLogger(__name__)


def destroy(model: type[models.Model], gone: Q) -> int:
    """Delete the rows for which `gone` holds, for good; how many.

    Raises OperationalError when the table is never free.
    """
    rows: Any = model._default_manager
    if not rows.filter(gone).exists():
        return 0
    table = model._meta.db_table
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'")
            cursor.execute(f'LOCK TABLE "{table}" IN ACCESS EXCLUSIVE MODE')
        destroyed: int = rows.filter(gone).count()
        living = list(rows.exclude(gone))
        if connection.vendor == "postgresql":
            # A new file: the old one is emptied when this is committed. The table
            # is unlogged, so that neither is in the write-ahead log.
            cursor.execute(f'TRUNCATE "{table}"')
        else:
            # All pages of the table are freed, and with `secure_delete` zeroed.
            cursor.execute(f'DELETE FROM "{table}"')  # noqa: S608 - a table's name
        rows.bulk_create(living, batch_size=_BATCH)
    return destroyed


def empty_log() -> None:
    """Empty SQLite's write-ahead log, in which the pages are as they were before.

    Readers of an older state keep it. They are not waited for, as writers would wait
    too: housekeeping comes again in ten minutes.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        (usual,) = cursor.fetchone()
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            (is_busy, *_) = cursor.fetchone()
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {usual:d}")
    if is_busy:
        logger.info("SQLite's log is in use: it is emptied in the next round")
