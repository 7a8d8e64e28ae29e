"""Destroy in time what may not be kept, whoever comes and whether cron runs or not.

Each worker process does it by itself (see `krafter.wsgi`), since each has salts
in its own memory. Twice does no harm.
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
    """How many of each."""

    salts: int
    rate_windows: int
    answers: int


def tidy() -> Destroyed:
    return Destroyed(visitors.purge_salts(), throttling.purge(), idempotency.purge())


def start() -> None:
    """Tidy now and every hour, beside the requests of this process."""
    threading.Thread(target=_keep_tidy, name="housekeeping", daemon=True).start()


def _keep_tidy() -> None:
    while True:
        try:
            tidy()
        except Exception:
            # The store may be away. What is overdue goes with the next round.
            logger.exception("Housekeeping failed, next try in an hour")
        finally:
            connection.close()
        sleep(INTERVAL_SECONDS)
