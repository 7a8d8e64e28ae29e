"""What it costs to change the primary keys while the service runs.

    python -m benchmarks.keys [--rows 10000000]

Fills a throw-away database, durable as in production, with a year of events of two
sites under the keys that Django makes. Then the migrations change the keys, while
one thread stores events, one a transaction, and another counts a month's visitors
again and again. Ends with one line of JSON, for the migration and for as long
without it: its seconds, the events stored meanwhile, the longest that one of them
and one question took, and how long the table of events was locked against both.
"""

import argparse
import json
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import django
import psycopg

from benchmarks.explain import DIMENSIONS, EVENTS, MAKE_SITES
from benchmarks.ingest import manage
from tests.postgres import throwaway

BEFORE = (("analytics", "0007"), ("goals", "0003"))
LOCKS = """
SELECT granted FROM pg_locks
WHERE mode = 'AccessExclusiveLock' AND relation = 'analytics_event'::regclass
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    options = parser.parse_args()
    settings = ["shared_buffers=1GB", "max_wal_size=8GB"]
    with throwaway(durable=True, settings=settings) as url:
        fill(url, options.rows)
        os.environ |= {"DATABASE_URL": url}
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "krafter.settings")
        django.setup()
        migration = measured(
            url, lambda: manage("migrate", "--verbosity", "0", database=url)
        )
        alone = measured(url, lambda: time.sleep(migration["seconds"]))
    print(json.dumps({"rows": options.rows, "migration": migration, "without": alone}))


def fill(url: str, rows: int) -> None:
    manage("migrate", "--verbosity", "0", database=url)
    for app, migration in reversed(BEFORE):
        manage("migrate", app, migration, "--verbosity", "0", database=url)
    manage("shell", "-v0", "-c", MAKE_SITES, database=url)
    manage("shell", "-v0", "-c", DIMENSIONS, database=url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(EVENTS, {"rows": rows})
        connection.execute("VACUUM ANALYZE")


def measured(url: str, act: Callable[[], object]) -> dict[str, Any]:
    is_over = threading.Event()
    found: dict[str, Any] = {}
    threads = [
        threading.Thread(target=work, args=(url, is_over, found))
        for work in (write, ask, watch_locks)
    ]
    for thread in threads:
        thread.start()
    began = time.perf_counter()
    act()
    found["seconds"] = round(time.perf_counter() - began, 1)
    is_over.set()
    for thread in threads:
        thread.join()
    return found


def write(url: str, is_over: threading.Event, found: dict[str, Any]) -> None:
    # They need Django set up.
    from django.db import connection

    from analytics import events
    from analytics.models import Site

    site = Site.objects.get(site_key="sk_abc123def456")
    stored, longest = 0, 0.0
    while not is_over.is_set():
        at = datetime.now(UTC)
        page = f"/products/{stored % 2_000}"
        event = events.NewEvent(site.pk, at.date(), at, "pageview", page, stored)
        began = time.perf_counter()
        events.append([event])
        longest = max(longest, time.perf_counter() - began)
        stored += 1
    connection.close()
    found |= {"stored": stored, "longest_write_ms": round(longest * 1_000, 1)}


def ask(url: str, is_over: threading.Event, found: dict[str, Any]) -> None:
    from django.db import connection

    from analytics import events

    today = datetime.now(UTC).date()
    month = events.Selection(1, today - timedelta(days=30), today)
    asked, longest = 0, 0.0
    while not is_over.is_set():
        began = time.perf_counter()
        events.visitors_by_day(month)
        longest = max(longest, time.perf_counter() - began)
        asked += 1
    connection.close()
    found |= {"asked": asked, "longest_question_ms": round(longest * 1_000, 1)}


def watch_locks(url: str, is_over: threading.Event, found: dict[str, Any]) -> None:
    """How long the lock was waited for and held at most, to about 2 ms."""
    longest = {True: 0.0, False: 0.0}
    began: dict[bool, float] = {}
    with psycopg.connect(url, autocommit=True) as connection:
        while not is_over.wait(0.001):
            states = {granted for (granted,) in connection.execute(LOCKS)}
            now = time.perf_counter()
            for granted in (True, False):
                if granted not in states:
                    began.pop(granted, None)
                    continue
                lasted = now - began.setdefault(granted, now)
                longest[granted] = max(longest[granted], lasted)
    found["longest_lock_held_ms"] = round(longest[True] * 1_000, 1)
    found["longest_lock_waited_for_ms"] = round(longest[False] * 1_000, 1)


if __name__ == "__main__":
    main()
