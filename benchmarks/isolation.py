"""What one team's long questions and unread exports cost another team.

    python -m benchmarks.isolation [postgresql] [sqlite] [--seconds S] [--events N]

Two teams on one worker with its defaults. The first reads nothing of eight exports,
begun again when they end, and asks eight questions over all its events at once, one
after the other. The second sends an event, asks for a goal's stats and, now and then,
for a breakdown of its own. Shown are the median and the slowest of its answers in
milliseconds, without and with the first team's load, and both as ratios. The load's
answers are counted by status.

On PostgreSQL a third row follows: somebody holds the lock of the first team's site,
whose visitors go on sending. It fails if that delays an event of the second team by
MAX_LOCK_MS or more beyond its slowest without. The last line is JSON. It takes
about two minutes for each database.
"""

import argparse
import collections
import contextlib
import json
import socket
import statistics
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from benchmarks.ingest import COLLECT, database, manage
from benchmarks.servers import serve_service

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
BASE = "/api/v1/analytics"
GIVEN_UP = 60.0
EIGHT = 8
# By how much the lock of a site may delay another site's event.
MAX_LOCK_MS = 100.0
# As the service takes it: `analytics.events.writing`.
LOCK = (
    "SELECT pg_advisory_xact_lock(27506, id::int) FROM analytics_site"
    " WHERE site_key = %s"
)

# Prints the keys, sites and goals of two teams as JSON.
MAKE = """
import json
from datetime import UTC, datetime, timedelta
from analytics import events
from analytics.models import ApiToken, Site, Team
from analytics.questions.labels import Labels
from goals.models import Goal
made = []
for name, count in (("loud", {events}), ("quiet", 2_000)):
    team = Team.objects.create(name=name)
    site = Site.objects.create(team=team, domain=name + ".example", name=name)
    goal = Goal.objects.create(site=site, name="all", type="event",
                               match_type="contains", match_value="sign")
    now = datetime.now(UTC)
    for start in range(0, count, 10_000):
        events.append([
            events.NewEvent(
                site_id=site.pk, day=(at := now - timedelta(minutes=n)).date(), at=at,
                type="event", name="signup %d" % (n % 50), visitor=n // 3,
                labels=Labels(country="DE" if n % 2 else "FR", browser="Firefox"),
                page="/page/%d" % (n % 1_000))
            for n in range(start, min(start + 10_000, count))])
    _, secret = ApiToken.issue(team=team, name="x", scopes=["*"])
    made.append([secret, site.site_key, str(goal.id)])
print(json.dumps(made))
"""


class Team:
    def __init__(self, url: str, secret: str, site: str, goal: str) -> None:
        self.url = url
        self.secret = secret
        self.site = site
        self.goal = f"{BASE}/sites/{site}/goals/{goal}"
        self.headers = {"User-Agent": AGENT, "Authorization": f"Bearer {secret}"}

    def ask(self, path: str, body: bytes | None = None) -> tuple[int, float]:
        """The status, 0 for no answer, and the time in seconds."""
        begun = time.perf_counter()
        request = urllib.request.Request(self.url + path, body, self.headers)
        try:
            with urllib.request.urlopen(request, timeout=GIVEN_UP) as answer:
                answer.read()
                status = answer.status
        except urllib.error.HTTPError as error:
            with error:
                status = error.code
        except OSError:
            status = 0
        return status, time.perf_counter() - begun

    def begin_export(self) -> socket.socket:
        host, _, port = self.url.removeprefix("http://").partition(":")
        client = socket.socket()
        # So that the kernel does not take the whole file.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.connect((host, int(port)))
        client.sendall(
            f"GET {self.goal}/conversions?period=12mo HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {self.secret}\r\nAccept: application/x-ndjson\r\n"
            "Accept-Encoding: identity\r\n\r\n".encode()
        )
        return client


@contextlib.contextmanager
def locked(url: str, team: Team) -> Iterator["collections.Counter[str]"]:
    """The lock of the team's site is held, and its visitors go on; their answers."""
    stop = threading.Event()
    seen: collections.Counter[str] = collections.Counter()
    event = json.dumps({"site": team.site, "type": "pageview", "url": "/"}).encode()

    def send() -> None:
        while not stop.is_set():
            status, _ = team.ask(COLLECT, event)
            seen[f"locked collect {status}"] += 1
            stop.wait(0.05)

    threads = [threading.Thread(target=send) for _ in range(EIGHT)]
    with psycopg.connect(url) as connection:
        connection.execute(LOCK, [team.site])
        for thread in threads:
            thread.start()
        try:
            yield seen
        finally:
            stop.set()
    for thread in threads:
        thread.join()


Times = dict[str, list[float]]


def watch(team: Team, seconds: float) -> tuple[Times, "collections.Counter[str]"]:
    """Times of the answers, and how many were none or errors."""
    event = json.dumps({"site": team.site, "type": "pageview", "url": "/"}).encode()
    calls: dict[str, tuple[float, Callable[[], tuple[int, float]]]] = {
        "collect": (0.05, lambda: team.ask(COLLECT, event)),
        "stats": (0.05, lambda: team.ask(f"{team.goal}/stats?period=30d")),
        "breakdown": (
            0.5,
            lambda: team.ask(f"{team.goal}/breakdown?dimension=country"),
        ),
    }
    times: Times = {name: [] for name in calls}
    failures: collections.Counter[str] = collections.Counter()

    def repeat(name: str) -> None:
        pause, call = calls[name]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            status, taken = call()
            times[name].append(taken)
            if status not in (200, 202):
                failures[f"{name} {status}"] += 1
            time.sleep(pause)

    _at_once([(repeat, (name,)) for name in calls])
    return times, failures


@contextlib.contextmanager
def load(team: Team) -> Any:
    """Statuses of the load, as they come."""
    stop = threading.Event()
    seen: collections.Counter[str] = collections.Counter()

    def export() -> None:
        while not stop.is_set():
            with team.begin_export() as client:
                client.settimeout(GIVEN_UP)
                with contextlib.suppress(OSError):
                    seen[f"export {client.recv(12)[9:].decode()}"] += 1
                stop.wait(20)

    def ask() -> None:
        while not stop.is_set():
            status, _ = team.ask(
                f"{team.goal}/breakdown?period=12mo&dimension=path&country=DE"
            )
            seen[f"question {status}"] += 1
            stop.wait(0.2 if status == 200 else 1)

    threads = [
        threading.Thread(target=work) for work in [export] * EIGHT + [ask] * EIGHT
    ]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _at_once(calls: list[tuple[Callable[..., None], tuple[Any, ...]]]) -> None:
    threads = [threading.Thread(target=call, args=given) for call, given in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def measure(kind: str, seconds: float, events: int) -> dict[str, Any]:
    with database(kind) as url:
        made = manage("shell", "-v0", "-c", MAKE.format(events=events), database=url)
        with serve_service(
            DATABASE_URL=url, RATE_LIMIT_API="0", RATE_LIMIT_COLLECT="0"
        ) as server:
            loud, quiet = (
                Team(server.url, *of) for of in json.loads(made.splitlines()[-1])
            )
            # What closed days hold is counted once.
            watch(quiet, 2)
            before, failed_before = watch(quiet, seconds)
            with load(loud) as seen:
                time.sleep(2)
                during, failed = watch(quiet, seconds)
            figures: dict[str, Any] = {}
            if kind == "postgresql":
                with locked(url, loud) as told:
                    under_lock, failed_under_lock = watch(quiet, seconds)
                figures["collect under_lock a lock"] = {
                    "median_ms": round(
                        statistics.median(under_lock["collect"]) * 1_000, 1
                    ),
                    "worst_ms": round(max(under_lock["collect"]) * 1_000, 1),
                    "delay_ms": round(
                        (max(under_lock["collect"]) - max(before["collect"])) * 1_000, 1
                    ),
                    "failures": dict(failed_under_lock),
                    **told,
                }
    for name, taken in before.items():
        for what, of in (("median", statistics.median), ("worst", max)):
            alone, beside = of(taken), of(during[name])
            figures[f"{name} {what}"] = {
                "quiet_ms": round(alone * 1_000, 1),
                "loaded_ms": round(beside * 1_000, 1),
                "ratio": round(beside / alone, 1),
            }
    return {
        **figures,
        "failures": dict(failed_before + failed),
        "load": dict(seen),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    kinds = ["postgresql", "sqlite"]
    parser.add_argument("kinds", nargs="*", choices=[[], *kinds], default=[])
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--events", type=int, default=300_000)
    options = parser.parse_args()
    figures = {}
    for kind in options.kinds or kinds:
        figures[kind] = measure(kind, options.seconds, options.events)
        print(kind)
        for name, value in figures[kind].items():
            print(f"  {name:22} {value}", flush=True)
    print(json.dumps(figures))
    lock = figures.get("postgresql", {}).get("collect beside a lock")
    sys.exit(1 if lock and (lock["delay_ms"] >= MAX_LOCK_MS or lock["failures"]) else 0)


if __name__ == "__main__":
    main()
