"""Delete short-lived rows in time, and do what else is due, without cron.

Each worker process runs it, since each also holds salts in its own memory. Running
it in several processes is harmless.
"""

import logging
import threading
from collections.abc import Callable
from time import sleep
from typing import NamedTuple

from django.db import connection

from analytics.access import idempotency, throttling
from analytics.ingest import visitors

INTERVAL_SECONDS = 60 * 60

# What is done after the deletions: apps that build on this one add theirs.
tasks: list[Callable[[], None]] = []

logger = logging.getLogger(__name__)


class Destroyed(NamedTuple):
    """The number of deleted rows of each kind."""

    salts: int
    rate_windows: int
    answers: int


def tidy() -> Destroyed:
    return Destroyed(visitors.purge_salts(), throttling.purge(), idempotency.purge())


def start() -> None:
    """Run now and then every hour, in a thread of this process."""
    threading.Thread(target=_keep_tidy, name="housekeeping", daemon=True).start()


def _keep_tidy() -> None:
    while True:
        for task in (tidy, *tasks):
            try:
                task()
            except Exception:
                # The database may be unavailable. The next run does what is overdue.
                logger.exception("Housekeeping failed; it runs again in an hour")
        connection.close()
        sleep(INTERVAL_SECONDS)
