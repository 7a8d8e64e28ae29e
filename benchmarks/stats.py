"""How long a goal's stats take, as a site's history grows.

    python -m benchmarks.stats [--millions 1 10 50] [--requests 200]

One site on PostgreSQL with a synthetic year of events, 20,000 names and 2
million visitors for each 10 million events. For each size: the first answer of
a new goal; p50 and p95 over HTTP of an exact, a contains and a regex goal (5,000
names) for 30 days and 12 months, beside the service's own trivial endpoint; and
at --compare million the same questions, with the same answers, to SQL over the
events and to the ClickHouse engine in process (pip install chdb).
"""

import argparse
import http.client
import json
import statistics
import tempfile
import time
import urllib.parse
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from benchmarks.clickhouse import engine_in, load
from benchmarks.ingest import COLLECT, MAKE_SITE, manage
from benchmarks.servers import Server, serve_service
from tests.postgres import throwaway

SITE = "/api/v1/analytics/sites/sk_abc123def456"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
PERIODS = ("30d", "12mo")


class Question(NamedTuple):
    """A goal, and the same rule for the engines that it is compared with."""

    match_type: str
    match_value: str
    sql: str
    clickhouse: str


QUESTIONS = {
    "exact": Question(
        "exact", "/products/7", "name.name = '/products/7'", "name = '/products/7'"
    ),
    "contains": Question(
        "contains", "/blog/1", "name.name LIKE '%/blog/1%'", "name LIKE '%/blog/1%'"
    ),
    # A quarter of the names.
    "regex": Question(
        "regex",
        r"^/products/\d+$",
        r"name.name ~ '^/products/\d+$'",
        r"match(name, '^/products/\\d+$')",
    ),
}

NAMES = """
INSERT INTO analytics_eventname (site_id, type, name, digest)
SELECT site.id, 'pageview', text, decode(md5(text), 'hex')
FROM analytics_site AS site, generate_series(0, 19999) AS number,
     LATERAL (SELECT (ARRAY['/products/', '/blog/', '/docs/', '/shop/'])[number % 4 + 1]
              || number / 4 AS text) AS name
"""
# The digest that the service would have made, so that it finds these names.
DIGESTS = """
from analytics.events.dictionaries import digest_of
from analytics.models import EventName
rows = list(EventName.objects.all())
for row in rows:
    row.digest = digest_of((row.type, row.name))
EventName.objects.bulk_update(rows, ["digest"], batch_size=2000)
"""
CONTEXTS = """
INSERT INTO analytics_context (site_id, digest, referrer, utm_source, utm_medium,
                               utm_campaign, country, device, browser, os)
SELECT site.id, decode(md5(number::text), 'hex'), '', '', '', '',
       (ARRAY['DE', 'FR', 'US', 'GB'])[number % 4 + 1], 'Desktop', 'Chrome', 'Linux'
FROM analytics_site AS site, generate_series(1, 100) AS number
"""
# Low numbers are frequent, as with pages. In the order of time, as they came.
EVENTS = """
INSERT INTO analytics_event (site_id, day, at, name_id, visitor, context_id)
SELECT site.id, (at AT TIME ZONE 'UTC')::date, at,
       names.low + (power(random(), 2) * 20000)::int %% 20000,
       hashint8((random() * %(visitors)s)::bigint), contexts.low + number %% 100
FROM (SELECT min(id) AS id FROM analytics_site) AS site,
     (SELECT min(id) AS low FROM analytics_eventname) AS names,
     (SELECT min(id) AS low FROM analytics_context) AS contexts,
     generate_series(1, %(rows)s) AS number,
     LATERAL (SELECT now() - interval '366 days' * (1 - number / %(rows)s::float) AS at)
         AS time
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 10, 50])
    parser.add_argument("--compare", type=int, default=10)
    parser.add_argument("--requests", type=int, default=200)
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    for size in options.millions:
        # A new database for each: what came before is neither there nor cached.
        with throwaway(settings=["shared_buffers=4GB", "max_wal_size=16GB"]) as url:
            fill(url, size * 1_000_000)
            figures[f"{size}M"] = measure(
                url, requests=options.requests, compare=size == options.compare
            )
            show(f"{size} million events", figures[f"{size}M"])
    figures["growth"] = growth(figures)
    show("growth", figures["growth"])
    print(json.dumps(figures))


def fill(url: str, rows: int) -> None:
    manage("migrate", "--verbosity", "0", database=url)
    manage("shell", "-v0", "-c", MAKE_SITE, database=url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(NAMES)
        connection.execute(CONTEXTS)
        manage("shell", "-v0", "-c", DIGESTS, database=url)
        # A visitor's id is new each day: as many a day as make the year's number.
        daily = max(rows // 5 // 366, 1)
        connection.execute(EVENTS, {"rows": rows, "visitors": daily})
        connection.execute("VACUUM ANALYZE")


def show(title: str, figures: dict[str, Any]) -> None:
    print(title)
    for name, value in figures.items():
        print(f"  {name:44} {value:12.3f}")


class Api:
    """One kept connection to the service."""

    def __init__(self, server: Server, key: str) -> None:
        self._http = http.client.HTTPConnection(
            urllib.parse.urlsplit(server.url).netloc, timeout=60
        )
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "User-Agent": AGENT,
        }

    def reconnect(self) -> None:
        self._http.close()

    def __call__(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body)
        self._http.request(method, path, data, self._headers)
        response = self._http.getresponse()
        answer = json.loads(response.read())
        if response.status == 503:
            raise Unfinished
        if response.status >= 300:
            raise RuntimeError(f"{path}: {response.status} {answer}")
        return answer.get("data")


class Unfinished(Exception):
    """The service wants to be asked again."""


def measure(url: str, *, requests: int, compare: bool) -> dict[str, float]:
    key = manage("create_token", "--name=bench", "--scopes=*", database=url)
    figures: dict[str, float] = {}
    with serve_service(
        threads=8,
        DATABASE_URL=url,
        RATE_LIMIT_COLLECT=str(10**9),
        RATE_LIMIT_API=str(10**9),
    ) as server:
        api = Api(server, key)
        api("GET", SITE)
        paths = {name: make_goal(api, name, q) for name, q in QUESTIONS.items()}
        for name, path in paths.items():
            first, tries = first_answer(api, f"{path}/stats?period=12mo")
            figures[f"first_answer_{name}_ms"] = first
            figures[f"first_answer_{name}_tries"] = tries
        if compare:
            figures |= comparison(url, api, paths)
        figures |= latencies(api, paths, requests)
    return figures


def make_goal(api: Api, name: str, question: Question) -> str:
    goal = api(
        "POST",
        f"{SITE}/goals",
        {
            "name": name,
            "type": "pageview",
            "match_type": question.match_type,
            "match_value": question.match_value,
        },
    )
    return f"{SITE}/goals/{goal['id']}"


def first_answer(api: Api, path: str) -> tuple[float, int]:
    """Milliseconds until a question has its first answer, and the tries it took."""
    began, tries = time.perf_counter(), 0
    while True:
        tries += 1
        try:
            api("GET", path)
        except Unfinished:
            continue
        return (time.perf_counter() - began) * 1e3, tries


def latencies(api: Api, paths: dict[str, str], requests: int) -> dict[str, float]:
    """p50 and p95 of each question, all in turns, with new events in between."""
    asked = {"trivial": SITE} | {
        f"{name}_{period}": f"{path}/stats?period={period}"
        for name, path in paths.items()
        for period in PERIODS
    }
    times: dict[str, list[float]] = {name: [] for name in asked}
    for number in range(requests):
        page = {"site": "sk_abc123def456", "type": "pageview"}
        where = f"https://example.com/products/{number % 5000}"
        api("POST", COLLECT, {**page, "url": where})
        for name, path in asked.items():
            began = time.perf_counter()
            api("GET", path)
            times[name].append((time.perf_counter() - began) * 1e3)
    figures = {}
    for name, values in times.items():
        cuts = statistics.quantiles(values, n=20)
        figures[f"{name}_p50_ms"], figures[f"{name}_p95_ms"] = cuts[9], cuts[18]
    for name in paths:
        figures[f"{name}_12mo_to_30d_p50"] = (
            figures[f"{name}_12mo_p50_ms"] / figures[f"{name}_30d_p50_ms"]
        )
        figures[f"{name}_p95_to_trivial_p50"] = (
            figures[f"{name}_12mo_p95_ms"] / figures["trivial_p50_ms"]
        )
        figures[f"{name}_p95_to_trivial_p95"] = (
            figures[f"{name}_12mo_p95_ms"] / figures["trivial_p95_ms"]
        )
    return figures


def growth(figures: dict[str, Any]) -> dict[str, float]:
    """p50 at the largest size as a multiple of that at the smallest."""
    sizes = list(figures)
    small, large = figures[sizes[0]], figures[sizes[-1]]
    return {
        f"{name}_{period}": large[f"{name}_{period}_p50_ms"]
        / small[f"{name}_{period}_p50_ms"]
        for name in QUESTIONS
        for period in PERIODS
    }


# The others


def comparison(url: str, api: Api, paths: dict[str, str]) -> dict[str, float]:
    """Times of SQL and ClickHouse for 12 months, as multiples of ours.

    Raises RuntimeError where an answer differs.
    """
    figures: dict[str, float] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        clickhouse = load_clickhouse(url, folder)
        # Loading took longer than the server keeps an idle connection.
        api.reconnect()
        connection = stack.enter_context(psycopg.connect(url, autocommit=True))
        for name, question in QUESTIONS.items():
            path = f"{paths[name]}/stats?period=12mo"
            ours, answer = best(partial(api, "GET", path))
            expected = (answer["conversions"], answer["unique_conversions"])
            api.reconnect()
            sql, found = best(partial(ask_sql, connection, question), times=2)
            if found != expected:
                raise RuntimeError(f"{name}: SQL {found}, ours {expected}")
            figures |= {
                f"compare_{name}_ours_ms": ours,
                f"compare_{name}_sql_ms": sql,
                f"compare_{name}_sql_to_ours": sql / ours,
            }
            if clickhouse is None:
                continue
            other, found = best(partial(clickhouse, question))
            if found != expected:
                raise RuntimeError(f"{name}: ClickHouse {found}, ours {expected}")
            figures |= {
                f"compare_{name}_clickhouse_ms": other,
                f"compare_{name}_clickhouse_to_ours": other / ours,
            }
    return figures


def best(ask: Callable[[], Any], times: int = 5) -> tuple[float, Any]:
    """The median time in milliseconds, and the answer."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        answer = ask()
        taken.append((time.perf_counter() - began) * 1e3)
    return statistics.median(taken), answer


def ask_sql(connection: "psycopg.Connection[Any]", question: Question) -> Any:
    return connection.execute(
        f"""
        SELECT count(*), count(DISTINCT (day, visitor))
        FROM analytics_event AS event
        JOIN analytics_eventname AS name ON name.id = event.name_id
        WHERE event.site_id = 1 AND name.type = 'pageview' AND {question.sql}
          AND day BETWEEN (current_date - interval '1 year')::date AND current_date
        """
    ).fetchone()


LOADED = """
SELECT event.site_id, day, name.name, visitor, extract(epoch FROM at)::bigint
FROM analytics_event AS event
JOIN analytics_eventname AS name ON name.id = event.name_id
"""


def load_clickhouse(
    url: str, folder: Path
) -> Callable[[Question], tuple[int, int]] | None:
    """The same events in ClickHouse, ordered for goals; a function that asks it."""
    engine = engine_in(folder)
    if engine is None:
        return None
    engine.query(
        """
        CREATE TABLE events
            (site UInt32, day Date, name LowCardinality(String), visitor Int64,
             at DateTime)
        ENGINE = MergeTree ORDER BY (site, day, name, visitor, at)
        """
    )
    load(engine, "events", url, LOADED, folder / "events.csv")
    engine.query("OPTIMIZE TABLE events FINAL")

    def ask(question: Question) -> tuple[int, int]:
        answer = engine.query(
            f"""
            SELECT count(), uniqExact(day, visitor) FROM events
            WHERE site = 1 AND {question.clickhouse}
              AND day BETWEEN subtractYears(today(), 1) AND today()
            """,
            "CSV",
        )
        conversions, uniques = str(answer).strip().split(",")
        return int(conversions), int(uniques)

    return ask


if __name__ == "__main__":
    main()
