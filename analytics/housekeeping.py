"""Delete short-lived rows in time, and do what else is due, without cron.

Each worker process runs it, since each also holds salts in its own memory. Running
it in several processes is harmless.
"""

import logging
import threading
from collections.abc import Callable
from itertools import count
from time import sleep
from typing import NamedTuple

from django.db import connection

from analytics import rewriting
from analytics.access import audit, idempotency, throttling
from analytics.ingest import salts, visitors
from analytics.people import sessions
from krafter import faults

# No row outlives its time by more: salts have an hour, counts of limits are worth
# nothing once their minute is over, and a flood of addresses makes many.
INTERVAL_SECONDS = 10 * 60
# The rest is worth it once an hour.
_ROUNDS_OF_TASKS = 6

# What is done after the deletions: apps that build on this one add theirs.
tasks: list[Callable[[], None]] = []

logger = logging.getLogger(__name__)


class Destroyed(NamedTuple):
    """The number of deleted rows of each kind."""

    salts: int
    rate_windows: int
    answers: int
    audit_entries: int
    sessions: int


def tidy() -> Destroyed:
    visitors.forget_clients()
    destroyed = Destroyed(
        salts.destroy(),
        throttling.purge(),
        idempotency.purge(),
        audit.purge(),
        sessions.purge(),
    )
    rewriting.empty_log()
    return destroyed


def start() -> None:
    """Run now and then every ten minutes, in a thread of this process."""
    threading.Thread(target=_keep_tidy, name="housekeeping", daemon=True).start()


def _keep_tidy() -> None:
    for number in count():
        for task in (tidy, *(tasks if number % _ROUNDS_OF_TASKS == 0 else ())):
            try:
                task()
            except Exception as error:
                # The next run does what is overdue.
                if faults.is_unavailable(error):
                    faults.report(error)
                else:
                    logger.exception("Housekeeping failed; it runs again later")
        connection.close()
        sleep(INTERVAL_SECONDS)
