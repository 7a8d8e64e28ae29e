"""What retention, export and import take.

    python -m benchmarks.lifecycle [postgresql] [sqlite] [--events 1000000]

A site with events of 15 months, three goals, an order in ten. Shown are: how fast
`prune` is, how `/collect` answers meanwhile (p99 as a ratio to before), what the
database takes before, after, and when its space was given back; events a second of
export and import. All goals' totals, by label too, must be equal before and after; a
late event and a refund of a sealed day are refused. The last line is JSON.
`benchmarks.kills` kills each of them.
"""

import argparse
import contextlib
import json
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks.ingest import COLLECT, database, manage, service

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
KEY = "sk_abc123def456"

MAKE = """
from datetime import timedelta
from analytics import events
from analytics.models import Site
from analytics.questions.labels import Labels
from goals.models import Goal
from krafter import clock
site = Site.objects.get()
site.retention_months = 3
site.save()
for number, (type, match_type, value, currency) in enumerate([
    ("pageview", "contains", "/p", None), ("event", "exact", "signup", None),
    ("custom", "contains", "buy", "EUR"),
]):
    Goal.objects.create(site=site, name=str(number), type=type, match_type=match_type,
                        match_value=value, currency=currency)
now, number = clock.now(), {events}
names = [("pageview", "/p%d"), ("pageview", "/q%d"), ("event", "signup"),
         ("goal", "buy %d")]
for start in range(0, number, 20_000):
    batch = []
    for n in range(start, min(start + 20_000, number)):
        at = now - timedelta(days=450) * ((number - n) / number)
        type, name = names[n % 4]
        is_order = type == "goal" and n % 10 == 3
        batch.append(events.NewEvent(
            site_id=site.pk, day=at.date(), at=at, type=type,
            name=name % (n % 500) if "%" in name else name, visitor=n // 4,
            labels=Labels(country="DE" if n % 2 else "FR", browser="Firefox"),
            amount=10_0000 if is_order else None,
            event_id=str(n) if is_order else None))
    events.append(batch)
"""
TOTALS = """
import json
from datetime import timedelta
from analytics.models import Event, Site
from analytics.questions.periods import Days
from analytics.lifecycle import parts
from goals.counting import stats
from goals.reports.breakdown import breakdown
from krafter import clock
last = clock.now().date() - timedelta(days=3)
days = Days(last - timedelta(days=460), last)
site = Site.objects.filter(deleted_at=None).first()
for keeper in parts.keepers:
    keeper.keep(site, days, lambda number: None)
rows = stats.all_goal_stats(site, days)
said = [[r.name, r.conversions, r.unique_conversions, str(r.revenue)] for r in rows]
for goal in site.goals.all():
    for label in ("country", "browser", "channel"):
        found = breakdown(goal, days, label, sort="-conversions", limit=10)
        said += [[goal.name, str(r.value), r.conversions, r.unique_conversions,
                  str(r.revenue)] for r in found.breakdown]
print(json.dumps(said))
"""
EVENTS = "from analytics.models import Event; print(Event.objects.count())"
# What was kept for the totals by label is counted anew by `prune`, as elsewhere.
UNKEPT = "from analytics.models import LabelMonth; LabelMonth.objects.all().delete()"
BYTES = "from analytics.events import sizes; print(sizes.database_bytes())"
GIVE_BACK = """
from django.db import connection
sql = "VACUUM FULL" if connection.vendor == "postgresql" else "VACUUM"
connection.cursor().execute(sql)
"""
TEAM = (
    "from analytics.models import Team; print(Team.objects.get_or_create(name="
    "'Default')[0].name)"
)
KEY_OF_API = """
from analytics.models import ApiToken, Team
print(ApiToken.issue(team=Team.objects.get(), name="late", scopes=["*"])[1])
"""


def shell(code: str, url: str) -> str:
    return manage("shell", "-v0", "-c", code, database=url).splitlines()[-1]


@contextlib.contextmanager
def collecting(url: str) -> Iterator[list[float]]:
    """Events come one after the other; the times of their answers in milliseconds."""
    body = json.dumps({"site": KEY, "type": "pageview", "url": "/p1"}).encode()
    headers = {"User-Agent": AGENT, "Content-Type": "text/plain"}
    times: list[float] = []
    done = threading.Event()

    def send() -> None:
        while not done.is_set():
            began = time.perf_counter()
            request = urllib.request.Request(url + COLLECT, body, headers)
            with urllib.request.urlopen(request, timeout=60) as answer:
                answer.read()
            times.append((time.perf_counter() - began) * 1_000)
            done.wait(0.01)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield times
    finally:
        done.set()
        thread.join()


def p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


def refused(server: str, secret: str, **sent: Any) -> str | None:
    """Why an event or a refund is refused; None if it is not."""
    request = urllib.request.Request(
        f"{server}/api/v1/analytics/sites/{KEY}/events",
        json.dumps({"events": [sent]}).encode(),
        {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answered:
        [outcome] = json.load(answered)["data"]
    if outcome["status"] != "rejected":
        return None
    return "; ".join(chain.from_iterable(outcome["details"].values()))


def measure(kind: str, events: int) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    with (
        database(kind) as url,
        database(kind) as other,
        tempfile.TemporaryDirectory() as folder,
    ):
        manage("shell", "-v0", "-c", MAKE.format(events=events), database=url)
        # The other one has a team and a site of the benchmark: in the way.
        manage("erase", "--team", "Default", "--yes", database=other)
        before = shell(TOTALS, url)
        file = str(Path(folder) / "team.ndjson")

        began = time.monotonic()
        manage("export_team", file, database=url)
        took = time.monotonic() - began
        figures["export_events_per_second"] = round(events / took)
        began = time.monotonic()
        manage("import_team", file, "--team", shell(TEAM, other), database=other)
        took = time.monotonic() - began
        figures["import_events_per_second"] = round(events / took)
        figures["moved_equal"] = shell(TOTALS, other) == before
        shell(f"{UNKEPT}; print(0)", url)
        figures["bytes_before"] = int(shell(BYTES, url))
        with service(url) as server:
            with collecting(server.url) as alone:
                time.sleep(20)
            had = int(shell(EVENTS, url))
            with collecting(server.url) as beside:
                began = time.monotonic()
                manage("prune", database=url)
                took = time.monotonic() - began
            sent = len(beside)
            secret = shell(KEY_OF_API, url)
            late = (datetime.now(UTC) - timedelta(days=300)).isoformat()
            figures["late_event_refused"] = refused(
                server.url,
                secret,
                **{"type": "event", "name": "signup", "visitor_id": "a"},
                timestamp=late,
            )
            figures["late_refund_refused"] = refused(
                server.url, secret, type="refund", refund_of="3", revenue=1
            )
        deleted = had + sent - int(shell(EVENTS, url))
        figures["deleted"] = deleted
        figures["prune_seconds"] = round(took, 1)
        # Without the half minute for questions that had begun.
        figures["prune_rows_per_second"] = round(deleted / max(took - 30, 1))
        figures["collect_p99_ratio"] = round(p99(beside) / p99(alone), 2)
        figures["prune_equal"] = shell(TOTALS, url) == before
        figures["bytes_after"] = int(shell(BYTES, url))
        began = time.monotonic()
        manage("shell", "-v0", "-c", GIVE_BACK, database=url)
        figures["give_back_seconds"] = round(time.monotonic() - began, 1)
        figures["bytes_given_back"] = int(shell(BYTES, url))
        figures["given_back_equal"] = shell(TOTALS, url) == before
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    kinds = ["postgresql", "sqlite"]
    parser.add_argument("kinds", nargs="*", choices=[[], *kinds], default=[])
    parser.add_argument("--events", type=int, default=1_000_000)
    options = parser.parse_args()
    figures = {}
    for kind in options.kinds or kinds:
        figures[kind] = measure(kind, options.events)
        print(kind)
        for name, value in figures[kind].items():
            print(f"  {name:26} {value}", flush=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
