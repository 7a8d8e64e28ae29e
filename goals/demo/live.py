"""Live visits of the demo shop, while the service runs with DEMO_VISITS.

The visits are determined by the time. Every process that adds those of the last half
hour adds the same events, and each event is stored once.
"""

import logging
import threading
from datetime import datetime, timedelta
from itertools import chain
from time import sleep

from django.db import connection
from django.utils import timezone

from analytics import events
from analytics.models import Site
from analytics.questions.period_query import today
from goals.demo import shop
from goals.demo.events import of_visit

SITE_KEY = "sk_abc123def456"
# A visit begins in each of these, and nobody stays for longer than the other.
SLOT_SECONDS = 3 * 60
LONGEST = timedelta(minutes=30)
_PAUSE_SECONDS = 5

logger = logging.getLogger(__name__)


def add(site: Site, now: datetime) -> int:
    """Store the events of the last half hour; return the number of new ones."""
    day = today(site, now)
    since_midnight = int((now - site.midnight(day)).total_seconds())
    last = since_midnight // SLOT_SECONDS
    first = max(0, last - int(LONGEST.total_seconds()) // SLOT_SECONDS)
    happened = chain.from_iterable(
        of_visit(site, day, visit, f"live {visit.visitor}", f"live-{day}-{slot}")
        for slot in range(first, last + 1)
        for visit in [shop.live_visit(day, slot, SLOT_SECONDS)]
    )
    return sum(events.append([event for event in happened if event.at <= now]))


def start() -> None:
    """Continue to do this in a thread of this process."""
    threading.Thread(target=_go_on, name="demo visits", daemon=True).start()


def _go_on() -> None:
    while True:
        try:
            site = Site.objects.undeleted().filter(site_key=SITE_KEY).first()
            if site is not None:
                add(site, timezone.now())
        except Exception:
            # The database may be unavailable. Missing events are added later.
            logger.exception("No visits were added to the demo; it goes on later")
        connection.close()
        sleep(_PAUSE_SECONDS)
