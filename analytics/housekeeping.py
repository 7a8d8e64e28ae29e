"""Delete short-lived rows in time, without cron.

Each worker process runs it, since each also holds salts in its own memory. Running
it in several processes is harmless.
"""

import logging
import threading
from time import sleep
from typing import NamedTuple

from django.db import connection

from analytics.access import idempotency, throttling
from analytics.ingest import visitors

INTERVAL_SECONDS = 60 * 60

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
        try:
            tidy()
        except Exception:
            # The database may be unavailable. The next run deletes what is overdue.
            logger.exception("Housekeeping failed; it runs again in an hour")
        finally:
            connection.close()
        sleep(INTERVAL_SECONDS)
