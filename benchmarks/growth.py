"""How answers grow along each axis: names, rules, goals, contexts, today, sites.

    python -m benchmarks.growth [axis ...] [--names 100 10000 200000] [--events 1000000]
        [--goals 1 100 1000] [--broad-names 20000] [--contexts 100 10000 100000]
        [--today 0 100000 1000000] [--sites 1 200]
        [--requests 60] [--workers 1]

Each axis has a database of its own on a throw-away PostgreSQL. Every latency is
taken in turns with the service's own trivial endpoint (`GET /sites/:key`) and with
a constant DRF view, and told as a multiple of theirs; first answers as a multiple
of one SQL statement for the same count. `_statements` leave out BEGIN, SET and
COMMIT. The last line is JSON.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count, islice, product
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.ingest import COLLECT, MAKE_SITE, manage
from benchmarks.servers import Server, serve_service, serve_trivial
from benchmarks.stats import SITE, Api, best, first_answer, show
from tests.postgres import throwaway

Figures = dict[str, float]

NAMES = """
INSERT INTO analytics_eventname (site_id, type, name, digest)
SELECT 1, 'pageview', '/shop/item-' || number || '/' || md5(number::text),
       decode(md5('name' || number), 'hex')
FROM generate_series(1, %(names)s) AS number
"""
CONTEXTS = """
INSERT INTO analytics_context (site_id, digest, referrer, utm_source, utm_medium,
                               utm_campaign, utm_content, country, device, browser, os)
SELECT 1, decode(md5(number::text), 'hex'), '', '', '',
       CASE WHEN %(campaigns)s THEN 'campaign ' || number %% 1000 ELSE '' END,
       CASE WHEN %(campaigns)s THEN 'content ' || number ELSE '' END,
       (ARRAY['DE', 'FR', 'US', 'GB'])[number %% 4 + 1], 'Desktop', 'Chrome', 'Linux'
FROM generate_series(1, %(contexts)s) AS number
"""
# Each name happens; low numbers are frequent. A visitor has some five events, and with
# campaigns came by one of them.
EVENTS = """
INSERT INTO analytics_event (site_id, day, at, name_id, visitor, context_id)
SELECT 1, (at AT TIME ZONE 'UTC')::date, at,
       names.low + CASE WHEN number %% 2 = 0 THEN number / 2 %% %(names)s
                        ELSE (power(random(), 2) * %(names)s)::int %% %(names)s END,
       hashint8extended(guest, 7),
       contexts.low + CASE WHEN %(campaigns)s
                           THEN (extract(doy FROM at)::bigint * 7919 + guest)
                           ELSE number END %% %(contexts)s
FROM (SELECT min(id) AS low FROM analytics_eventname) AS names,
     (SELECT min(id) AS low FROM analytics_context) AS contexts,
     generate_series(1, %(rows)s) AS number,
     LATERAL (SELECT %(from)s::timestamptz + (%(to)s::timestamptz - %(from)s)
                     * (number / %(rows)s::float) AS at,
                    (random() * %(visitors)s + 0 * number)::bigint AS guest) AS each
"""
SITES = """
INSERT INTO analytics_site (id, uuid, team_id, site_key, domain, name, public_stats,
                            timezone, allowed_hosts, excluded_ips, excluded_paths,
                            honour_dnt, created_at)
SELECT number, gen_random_uuid(), 1, 'sk_' || lpad(number::text, 12, '0'),
       'site' || number || '.example', 'x', false, 'UTC', '[]', '[]', '[]', true, now()
FROM generate_series(2, %(sites)s) AS number
"""
DIRECT = """
SELECT count(*), count(DISTINCT (day, visitor)) FROM analytics_event AS event
JOIN analytics_eventname AS name ON name.id = event.name_id
WHERE event.site_id = 1 AND name.site_id = 1 AND day BETWEEN %(first)s AND current_date
  AND name.type = 'pageview' AND name.name {condition}
"""
BY_CAMPAIGN = """
SELECT utm_campaign, count(*), count(DISTINCT (day, visitor))
FROM analytics_event AS event
JOIN analytics_eventname AS name ON name.id = event.name_id
JOIN analytics_context AS context ON context.id = event.context_id
WHERE event.site_id = 1 AND name.name LIKE '/shop/%' AND day >= current_date - 365
GROUP BY utm_campaign ORDER BY 2 DESC, 1 LIMIT 1000
"""
COUNT_STATEMENTS = """
from django.conf import settings
from django.db import connection
from django.test import Client
settings.RATE_LIMIT_API, settings.ALLOWED_HOSTS = 10**9, ["*"]
client, sent = Client(headers={{"Authorization": "Bearer {key}"}}), []
client.get("{path}")
def note(execute, sql, *rest):
    sent.append(sql)
    return execute(sql, *rest)
with connection.execute_wrapper(note):
    client.get("{path}")
print(sum(not sql.startswith(("BEGIN", "SET", "COMMIT")) for sql in sent))
"""


class Run:
    """A service on a database of its own, and a constant DRF view beside it."""

    def __init__(self, url: str, server: Server, constant: Server, key: str) -> None:
        self.url = url
        self.server = server
        self.key = key
        self.api = Api(server, key)
        self.constant = Api(constant, key)

    def goal(self, number: int, match_type: str, value: str) -> str:
        fields = {"name": f"{number}", "type": "pageview"}
        rule = {"match_type": match_type, "match_value": value}
        made = self.api("POST", f"{SITE}/goals", {**fields, **rule})
        return f"{SITE}/goals/{made['id']}"

    def warm(self, name: str, path: str, requests: int) -> Figures:
        """p50 and p95 beside the trivial endpoint's, and what they take."""
        asked: dict[str, Callable[[], Any]] = {
            "constant": lambda: self.constant("GET", "/"),
            "trivial": lambda: self.api("GET", SITE),
            name: lambda: self.api("GET", path),
        }
        times: dict[str, list[float]] = {each: [] for each in asked}
        self.reconnect()
        for _ in range(requests):
            for each, ask in asked.items():
                began = time.perf_counter()
                ask()
                times[each].append((time.perf_counter() - began) * 1e3)
        cuts = {each: statistics.quantiles(of, n=20) for each, of in times.items()}
        shell = ("shell", "-v0", "-c")
        code = COUNT_STATEMENTS.format(key=self.key, path=path)
        statements = float(manage(*shell, code, database=self.url))
        # It took longer, perhaps, than the server keeps an idle connection.
        self.reconnect()
        return {
            f"{name}_p50_ms": cuts[name][9],
            f"{name}_p50_to_trivial": cuts[name][9] / cuts["trivial"][9],
            f"{name}_p95_to_trivial": cuts[name][18] / cuts["trivial"][18],
            f"{name}_p50_to_constant": cuts[name][9] / cuts["constant"][9],
            "trivial_p50_ms": cuts["trivial"][9],
            "trivial_p50_to_constant": cuts["trivial"][9] / cuts["constant"][9],
            f"{name}_statements": statements,
            "resident_mb": self.resident,
        }

    def first(self, name: str, path: str, condition: str, first: str) -> Figures:
        """The first answer to a question beside one statement for the same count."""
        taken, tries = first_answer(self.api, path)
        figures = {f"{name}_first_ms": taken, f"{name}_first_tries": tries}
        direct, found = self.direct(condition, first)
        # It took longer, perhaps, than the server keeps an idle connection.
        self.reconnect()
        answer = self.api("GET", path)
        if found != (answer["conversions"], answer["unique_conversions"]):
            raise RuntimeError(f"{name}: SQL {found}, ours {answer}")
        return {**figures, f"{name}_first_to_sql": taken / direct}

    def direct(self, condition: str, first: str) -> tuple[float, Any]:
        """Milliseconds of one statement for the names' events, and its counts."""
        sql = DIRECT.format(condition=condition)
        with psycopg.connect(self.url, autocommit=True) as connection:
            return best(
                lambda: connection.execute(sql, {"first": first}).fetchone(), times=2
            )

    def reconnect(self) -> None:
        self.api.reconnect()
        self.constant.reconnect()

    @property
    def resident(self) -> float:
        """Memory of the largest worker, in MB."""
        return max(self._status(pid, "VmRSS") for pid in self.server.workers)

    @property
    def peak(self) -> float:
        return max(self._status(pid, "VmHWM") for pid in self.server.workers)

    def _status(self, pid: int, name: str) -> float:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.split(f"{name}:")[1].split()[0]) / 1024


@contextmanager
def run(
    options: argparse.Namespace,
    *,
    names: int = 1_000,
    past: int = 0,
    today: int = 0,
    sites: int = 1,
    contexts: int = 100,
    campaigns: bool = False,
) -> Iterator[Run]:
    with ExitStack() as stack:
        settings = ["shared_buffers=2GB", "max_wal_size=8GB"]
        url = stack.enter_context(throwaway(settings=settings))
        manage("migrate", "--verbosity", "0", database=url)
        manage("shell", "-v0", "-c", MAKE_SITE, database=url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(NAMES, {"names": names})
            connection.execute(CONTEXTS, {"contexts": contexts, "campaigns": campaigns})
            if sites > 1:
                connection.execute(SITES, {"sites": sites})
            (midnight, now) = connection.execute(
                "SELECT date_trunc('day', now(), 'UTC'), now()"
            ).fetchone() or (None, None)
            for rows, start, end in ((past, None, midnight), (today, midnight, now)):
                if rows:
                    (start,) = connection.execute(
                        "SELECT coalesce(%s, %s - interval '360 days')", [start, end]
                    ).fetchone() or (None,)
                    visitors = max(rows // 5 // (360 if rows == past else 1), 1)
                    span = {"from": start, "to": end, "names": names}
                    span |= {"contexts": contexts, "campaigns": campaigns}
                    connection.execute(
                        EVENTS, {**span, "rows": rows, "visitors": visitors}
                    )
            connection.execute("VACUUM ANALYZE")
        key = manage("create_token", "--name=bench", "--scopes=*", database=url)
        server = stack.enter_context(
            serve_service(
                workers=options.workers,
                DATABASE_URL=url,
                COUNT_AHEAD="0",
                RATE_LIMIT_API=str(10**9),
                RATE_LIMIT_COLLECT=str(10**9),
            )
        )
        constant = stack.enter_context(
            serve_trivial("benchmarks.trivial:drf_application", threads=8)
        )
        it = Run(url, server, constant, key)
        it.api("GET", SITE)
        yield it


def names(options: argparse.Namespace) -> Iterator[tuple[str, Figures]]:
    """One broad and one exact rule, and a hundred at once, over more and more names."""
    year = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 365 * 86_400))
    for size in options.names:
        with run(options, names=size, past=options.events) as it:
            figures: Figures = {}
            rules = {"broad": ("contains", "/shop/", "LIKE '%%/shop/%%'")}
            rules["regex"] = ("regex", r"^/shop/item-\d*7/", r"~ '^/shop/item-\d*7/'")
            for number, (name, (match_type, value, sql)) in enumerate(rules.items()):
                path = f"{it.goal(number, match_type, value)}/stats?period=12mo"
                figures |= it.first(name, path, sql, year)
                figures |= it.warm(name, path, options.requests)
            for number in range(100):
                it.goal(100 + number, "regex", rf"item-\d*{number:02}/.*{number % 10}")
            path = f"{SITE}/goals/stats?period=12mo"
            taken, tries = first_answer(it.api, path)
            figures |= {"hundred_first_ms": taken, "hundred_first_tries": tries}
            figures |= {"resident_mb": it.resident, "peak_mb": it.peak}
            yield f"{size} names", figures


def goals(options: argparse.Namespace) -> Iterator[tuple[str, Figures]]:
    """All goals of a site at once, of a site with a year and of an empty one."""
    path = f"{SITE}/goals/stats?period=12mo"
    for size in options.goals:
        with run(options) as it:
            for number in range(size):
                it.goal(number, "exact", f"/page/{number}")
            _, tries = first_answer(it.api, path)
            with psycopg.connect(it.url) as connection:
                sql = "SELECT count(*) FROM goals_goalmonth"
                (rows,) = connection.execute(sql).fetchone() or (0,)
            empty: Figures = {"empty_tries": tries, "empty_rows_kept": rows}
        with run(options, past=options.events) as it:
            for number in range(size):
                it.goal(number, "contains", f"/item-{number + 1}/")
            taken, tries = first_answer(it.api, path)
            figures = {**empty, "first_ms": taken, "first_tries": tries}
            yield f"{size} goals", figures | it.warm("all", path, options.requests)


def broad(options: argparse.Namespace) -> Iterator[tuple[str, Figures]]:
    """All goals of a site at once that match most of many names, each others."""
    path, month = f"{SITE}/goals/stats?period=30d", time.time() - 30 * 86_400
    first = time.strftime("%Y-%m-%d", time.gmtime(month))
    names, many = options.broad_names, 20 * options.broad_names
    for size in options.goals:
        with run(options, names=names, past=many, today=many // 20) as it:
            rules = list(islice(_broad_rules(), size))
            for number, rule in enumerate(rules):
                it.goal(number, "regex", rule)
            before = it.resident
            taken, tries = first_answer(it.api, path)
            figures: Figures = {"first_ms": taken, "first_tries": tries}
            figures |= {"resident_before_mb": before, "peak_mb": it.peak}
            direct, _ = it.direct(f"~ '{rules[0]}'", first)
            figures |= {"first_to_sql_of_each": taken / direct / size}
            page = {"site": "sk_abc123def456", "type": "pageview"}
            it.api("POST", COLLECT, {**page, "url": "https://example.com/shop/"})
            yield (
                f"{size} broad goals",
                figures | it.warm("all", path, options.requests),
            )


def _broad_rules() -> Iterator[str]:
    """Each matches 15 of 16 names: one digit of their digests is not a certain one."""
    for length in count(1):
        for place, digit in product(range(33 - length), "0123456789abcdef"):
            yield f"/[0-9a-f]{{{place}}}[^{digit}]{'.' * (length - 1)}"


def contexts(options: argparse.Namespace) -> Iterator[tuple[str, Figures]]:
    """Labels of a site whose visitors come by more and more links.

    There are as many contents as links, and at most a thousand campaigns.
    """
    for size in options.contexts:
        with run(options, past=options.events, contexts=size, campaigns=True) as it:
            goal = it.goal(1, "contains", "/shop/")
            figures: Figures = {}
            for name, path in (
                ("campaigns", f"{goal}/breakdown?dimension=utm_campaign&limit=1000&"),
                ("contents", f"{goal}/breakdown?dimension=utm_content&limit=1000&"),
                ("countries", f"{goal}/breakdown?dimension=country&"),
                ("filter", f"{goal}/stats?country=DE&"),
                ("site", f"{SITE}/stats?dimensions=utm_campaign&"),
            ):
                path += "period=12mo"
                taken, tries = first_answer(it.api, path)
                figures |= {f"{name}_first_ms": taken, f"{name}_first_tries": tries}
                figures |= it.warm(name, path, options.requests)
            with psycopg.connect(it.url, autocommit=True) as connection:
                direct, _ = best(
                    lambda: connection.execute(BY_CAMPAIGN).fetchall(), times=2
                )
            figures["campaigns_first_to_sql"] = figures["campaigns_first_ms"] / direct
            figures |= {"resident_mb": it.resident, "peak_mb": it.peak}
            yield f"{size} contexts", figures


def today(options: argparse.Namespace) -> Iterator[tuple[str, Figures]]:
    """A broad, a narrow and an exact rule on a day with more and more events."""
    first = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 7 * 86_400))
    for size in options.today:
        with run(options, today=size) as it:
            before = it.resident
            figures: Figures = {}
            rules = {"broad": ("contains", "/shop/", "LIKE '%%/shop/%%'")}
            rules["narrow"] = ("contains", "item-77", "LIKE '%%item-77%%'")
            for number, (name, (match_type, value, sql)) in enumerate(rules.items()):
                path = f"{it.goal(number, match_type, value)}/stats?period=7d"
                figures |= it.first(name, path, sql, first)
                page = {"site": "sk_abc123def456", "type": "pageview"}
                it.api("POST", COLLECT, {**page, "url": "https://example.com/shop/"})
                figures |= it.warm(name, path, options.requests)
            figures |= {"peak_mb": it.peak, "resident_mb": it.resident}
            if size:
                figures["peak_bytes_an_event"] = (it.peak - before) * 2**20 / size
            yield f"{size} events today", figures


def sites(options: argparse.Namespace) -> Iterator[tuple[str, Figures]]:
    """The first site among more and more that are asked about in turns."""
    for size in options.sites:
        with run(options, sites=size, today=10_000) as it:
            paths = []
            for number in range(1, size + 1):
                key = "sk_abc123def456" if number == 1 else f"sk_{number:012}"
                base = f"/api/v1/analytics/sites/{key}/goals"
                rule = {"match_type": "contains", "match_value": "/"}
                made = it.api("POST", base, {"name": "x", "type": "pageview", **rule})
                paths.append(f"{base}/{made['id']}/stats")
            for path in paths * 2:
                it.api("GET", path)
            yield f"{size} sites", it.warm("goal", paths[0], options.requests)


def site(options: argparse.Namespace) -> Iterator[tuple[str, Figures]]:
    """First answers about a site with a year of events: its rate, its statistics."""
    with run(options, past=options.events) as it:
        goal = it.goal(1, "exact", "/shop/")
        figures: Figures = {}
        for name, path in (
            ("rate", f"{goal}/rate?period=12mo"),
            ("stats", f"{SITE}/stats?period=12mo"),
        ):
            taken, tries = first_answer(it.api, path)
            figures |= {f"{name}_first_ms": taken, f"{name}_first_tries": tries}
            figures |= it.warm(name, path, options.requests)
        yield f"{options.events} events", figures


AXES = {
    "names": names,
    "goals": goals,
    "broad": broad,
    "contexts": contexts,
    "today": today,
    "sites": sites,
    "site": site,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("axes", nargs="*", choices=[*AXES, []])
    parser.add_argument("--names", type=int, nargs="+", default=[100, 10_000, 200_000])
    parser.add_argument("--goals", type=int, nargs="+", default=[1, 100, 1_000])
    parser.add_argument("--broad-names", type=int, default=20_000)
    many = [100, 10_000, 100_000]
    parser.add_argument("--contexts", type=int, nargs="+", default=many)
    parser.add_argument("--today", type=int, nargs="+", default=[0, 100_000, 1_000_000])
    parser.add_argument("--sites", type=int, nargs="+", default=[1, 200])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=60)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    figures: dict[str, Figures] = {}
    for axis in options.axes or AXES:
        for title, found in AXES[axis](options):
            figures[f"{axis}: {title}"] = found
            show(f"{axis}: {title}", found)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
