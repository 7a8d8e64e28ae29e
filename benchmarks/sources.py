"""How long questions about where conversions come from take, and what is kept.

    python -m benchmarks.sources [--events 1000000] [--requests 100] [--minutes 5]
        [--only exact site_country]

One site on PostgreSQL with a synthetic year: 20,000 names, visits of five page views,
a third of which come from 40 sources; device, browser and country stay a visitor's own
within a day. For an exact, a contains and a regex goal (5,000 names) and for the site:
the first answer beside one hand-written SQL statement for the same rows; p95 over HTTP
once kept, as a multiple of the service's own trivial endpoint, with new events in
between; the ClickHouse engine in process with the same rows, where it is installed (pip
install chdb); and the bytes that are kept. Each figure that was asked for stands beside
its own. A part that takes longer than `--minutes` is ended, and its figures are null.
With `--only` the questions whose names begin so.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.clickhouse import engine_in, load
from benchmarks.ingest import COLLECT, MAKE_SITE, manage
from benchmarks.servers import serve_service
from benchmarks.stats import (
    DIGESTS,
    NAMES,
    QUESTIONS,
    SITE,
    Api,
    Question,
    Unfinished,
    best,
    make_goal,
)
from tests.postgres import throwaway

# Number 0 is no source. The digests are those of no label: ingest makes new ones.
CONTEXTS = """
INSERT INTO analytics_context (site_id, digest, referrer, utm_source, utm_medium,
                               utm_campaign, country, device, browser, os)
SELECT site.id, decode(md5(source || '-' || own), 'hex'),
       CASE WHEN source > 0 THEN 'source' || source || '.example' ELSE '' END,
       '', '', CASE WHEN source % 4 = 1 THEN 'campaign' || source ELSE '' END,
       (ARRAY['DE', 'FR', 'US', 'GB', 'ES'])[own % 5 + 1],
       (ARRAY['Desktop', 'Mobile', 'Tablet'])[own % 3 + 1],
       (ARRAY['Chrome', 'Firefox', 'Safari', 'Edge'])[own % 4 + 1], 'Linux'
FROM (SELECT min(id) AS id FROM analytics_site) AS site,
     generate_series(0, 40) AS source, generate_series(0, 59) AS own
ORDER BY source, own
"""
# Five page views a visit, two minutes apart. In the order of time, as they came.
EVENTS = """
INSERT INTO analytics_event (site_id, day, at, name_id, visitor, context_id)
SELECT site.id, (at AT TIME ZONE 'UTC')::date, at,
       names.low + (power(random(), 2) * 20000)::int %% 20000,
       hashint8(visitor),
       contexts.low + (CASE WHEN step = 0 THEN source ELSE 0 END) * 60
           + abs(hashint8(visitor + 7)) %% 60
FROM (SELECT min(id) AS id FROM analytics_site) AS site,
     (SELECT min(id) AS low FROM analytics_eventname) AS names,
     (SELECT min(id) AS low FROM analytics_context) AS contexts,
     (SELECT number, (random() * %(visitors)s)::bigint AS visitor,
             CASE WHEN random() < 0.333 THEN 1 + (power(random(), 2) * 40)::int %% 40
                  ELSE 0 END AS source
      FROM generate_series(1, %(visits)s) AS number) AS visit,
     generate_series(0, 4) AS step,
     LATERAL (SELECT now() - interval '10 minutes'
                  - interval '366 days' * (1 - number / %(visits)s::float)
                  + step * interval '2 minutes' AS at) AS time
ORDER BY at
"""
# Of the visitors who converted: each event with its latest referrer up to then.
SQL = """
WITH goal AS MATERIALIZED (
    SELECT id FROM analytics_eventname AS name
    WHERE name.site_id = 1 AND name.type = 'pageview' AND {rule}
), visitors AS (
    SELECT DISTINCT day, visitor FROM analytics_event
    WHERE site_id = 1 AND day BETWEEN {days} AND name_id IN (SELECT id FROM goal)
), moves AS (
    SELECT event.day, event.visitor, event.name_id, event.context_id,
           row_number() OVER path AS n, referrer <> '' AS is_arrival, event.at, event.id
    FROM analytics_event AS event JOIN visitors USING (day, visitor)
    JOIN analytics_context AS own ON own.id = event.context_id
    WHERE event.site_id = 1 AND day BETWEEN {days}
    WINDOW path AS (PARTITION BY event.day, event.visitor ORDER BY event.at, event.id)
), came AS (
    SELECT moves.*, max(CASE WHEN is_arrival THEN (n << 36) | context_id END)
        OVER (PARTITION BY day, visitor ORDER BY at, id) & ((1::bigint << 36) - 1)
        AS arrival
    FROM moves
)
SELECT coalesce(nullif(referrer, ''), ''), count(*), count(DISTINCT (day, visitor))
FROM came LEFT JOIN analytics_context AS source ON source.id = arrival
WHERE name_id IN (SELECT id FROM goal) GROUP BY 1
"""
# The same of all visitors, with their numbers, as the answer has them.
SQL_WITH_VISITORS = """
WITH goal AS MATERIALIZED (
    SELECT id FROM analytics_eventname AS name
    WHERE name.site_id = 1 AND name.type = 'pageview' AND {rule}
), moves AS (
    SELECT event.day, event.visitor, event.name_id, event.context_id, event.at,
           event.id, row_number() OVER path AS n, referrer <> '' AS is_arrival
    FROM analytics_event AS event
    JOIN analytics_context AS own ON own.id = event.context_id
    WHERE event.site_id = 1 AND day BETWEEN {days}
    WINDOW path AS (PARTITION BY event.day, event.visitor ORDER BY event.at, event.id)
), came AS (
    SELECT day, visitor, name_id,
           max(CASE WHEN is_arrival THEN (n << 36) | context_id END)
        OVER (PARTITION BY day, visitor ORDER BY at, id) & ((1::bigint << 36) - 1)
        AS arrival
    FROM moves
), of_each AS (
    SELECT day, visitor, arrival, count(*) FILTER (
        WHERE name_id IN (SELECT id FROM goal)
    ) AS times FROM came GROUP BY day, visitor, arrival
)
SELECT coalesce(referrer, ''), sum(times),
    count(DISTINCT (day, visitor)) FILTER (WHERE times > 0),
    count(DISTINCT (day, visitor))
FROM of_each LEFT JOIN analytics_context AS source ON source.id = arrival
GROUP BY 1 HAVING sum(times) > 0
"""
SQL_DAYS = "(current_date - interval '1 year')::date AND current_date"
CLICKHOUSE = """
SELECT source.referrer, count(), uniqExact(day, visitor)
FROM (SELECT * FROM events WHERE {rule} AND {days}) AS event
ASOF LEFT JOIN (SELECT day, visitor, at, referrer FROM arrivals WHERE {days}) AS source
ON event.day = source.day AND event.visitor = source.visitor AND event.at >= source.at
GROUP BY 1
"""
LOADED = """
SELECT day, name.name, visitor, referrer, (extract(epoch FROM at) * 1000000)::bigint
FROM analytics_event AS event
JOIN analytics_eventname AS name ON name.id = event.name_id
JOIN analytics_context AS own ON own.id = event.context_id
"""
CLICKHOUSE_DAYS = "day BETWEEN subtractYears(today(), 1) AND today()"
BYTES = """
SELECT sum(pg_column_size(days) + pg_column_size(total)) / count(DISTINCT month) / 30.4
FROM analytics_labelmonth WHERE label = %s AND (rule = '') = %s
"""

# By source: conversions, converters and, where they are counted, visitors.
Rows = dict[str, tuple[int, ...]]
# None: it took too long, or there is nothing to measure it with.
Figures = dict[str, float | None]

# What is asked of each figure, by the end of its name: at most, or with ">" at least.
ASKED = {
    "site_path_p95_to_trivial": "<= 20",
    "_p95_to_trivial": "<= 5",
    "_first_to_sql": "<= 3",
    "_clickhouse_to_ours": ">= 10",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=5, help="of each part")
    parser.add_argument("--only", nargs="+", default=[""])
    options = parser.parse_args()
    began = time.monotonic()
    with throwaway(settings=["shared_buffers=4GB", "max_wal_size=16GB"]) as url:
        say(f"Filling in {options.events:,} events", began)
        fill(url, options.events)
        figures = measure(
            url, options.requests, 60 * options.minutes, began, tuple(options.only)
        )
    figures["seconds"] = time.monotonic() - began
    print(f"{options.events:,} events")
    for name, value in figures.items():
        asked = next((t for end, t in ASKED.items() if name.endswith(end)), "")
        shown = "-" if value is None else f"{value:.3f}"
        print(f"  {name:52} {shown:>12}  {asked}")
    print(json.dumps(figures))


def say(what: str, began: float) -> None:
    """What it is about to do, and after how many seconds."""
    print(f"{time.monotonic() - began:6.0f} s  {what}", file=sys.stderr, flush=True)


def fill(url: str, rows: int) -> None:
    manage("migrate", "--verbosity", "0", database=url)
    manage("shell", "-v0", "-c", MAKE_SITE, database=url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(NAMES)
        connection.execute(CONTEXTS)
        manage("shell", "-v0", "-c", DIGESTS, database=url)
        visits = rows // 5
        daily = max(visits // 366, 1)
        connection.execute(EVENTS, {"visits": visits, "visitors": daily})
        connection.execute("VACUUM ANALYZE")


def measure(
    url: str, requests: int, seconds: float, began: float, only: tuple[str, ...]
) -> Figures:
    key = manage("create_token", "--name=bench", "--scopes=*", database=url)
    figures: Figures = {}
    with (
        ExitStack() as stack,
        serve_service(
            threads=8,
            DATABASE_URL=url,
            RATE_LIMIT_COLLECT=str(10**9),
            RATE_LIMIT_API=str(10**9),
            COUNT_AHEAD="0",
        ) as server,
    ):
        api = Api(server, key)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        say("Loading ClickHouse", began)
        clickhouse = load_clickhouse(url, folder)
        connection = stack.enter_context(psycopg.connect(url, autocommit=True))
        connection.execute(f"SET statement_timeout = {int(seconds * 1000)}")
        api.reconnect()
        paths = {
            name: make_goal(api, name, question)
            for name, question in QUESTIONS.items()
            if name.startswith(only)
        }
        for name, path in paths.items():
            say(f"First answer and others, {name}", began)
            others = {
                "sql": partial(by_sql, connection, SQL_WITH_VISITORS),
                "sql_without_visitors": partial(by_sql, connection, SQL),
                "clickhouse": clickhouse,
            }
            own = compared(api, path, QUESTIONS[name], others, seconds)
            figures |= {f"{name}_{figure}": value for figure, value in own.items()}
        figures |= latencies(api, paths, requests, seconds, began, only)
        figures |= kept_bytes(connection)
    return figures


def compared(
    api: Api,
    path: str,
    question: Question,
    others: dict[str, Callable[[Question], Rows] | None],
    seconds: float,
) -> Figures:
    """The first answer of a breakdown and later ones, beside SQL and ClickHouse.

    Raises RuntimeError where an answer differs.
    """
    asked = f"{path}/breakdown?period=12mo&dimension=referrer&limit=1000"
    first, tries = answered(api, asked, seconds)
    took: dict[str, float | None] = dict.fromkeys(("kept", *others))
    if first is not None:
        took["kept"], answer = best(partial(api, "GET", asked))
        expected = {
            row["value"] or "": tuple(
                row[name] for name in ("conversions", "unique_conversions", "visitors")
            )
            for row in answer["breakdown"]
        }
        # They take longer than the server keeps an idle connection.
        api.reconnect()
    for name, other in others.items():
        if other is None:
            continue
        try:
            took[name], found = best(partial(other, question), times=2)
        except psycopg.errors.QueryCanceled:
            continue
        if first is not None and found != cut(expected, found):
            raise RuntimeError(f"{path}: {name} {found}, ours {expected}")
    return {
        "first_answer_ms": first,
        "first_answer_tries": tries,
        **{f"{name}_ms": taken for name, taken in took.items()},
        "first_to_sql": ratio(first, took["sql"]),
        "clickhouse_to_ours": ratio(took["clickhouse"], took["kept"]),
    }


def cut(rows: Rows, other: Rows) -> Rows:
    """The rows with as many numbers as those of others have."""
    length = min(map(len, other.values()), default=0)
    return {source: numbers[:length] for source, numbers in rows.items()}


def answered(api: Api, path: str, seconds: float) -> tuple[float | None, int]:
    """As `first_answer`, but None once it took too long."""
    began, tries = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        tries += 1
        try:
            api("GET", path)
        except Unfinished:
            continue
        return (time.perf_counter() - began) * 1e3, tries
    return None, tries


def ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def by_sql(connection: "psycopg.Connection[Any]", sql: str, question: Question) -> Rows:
    found = connection.execute(sql.format(rule=question.sql, days=SQL_DAYS))
    return {source: tuple(map(int, numbers)) for source, *numbers in found}


def load_clickhouse(url: str, folder: Path) -> Callable[[Question], Rows] | None:
    """The same events in ClickHouse, and apart from them those that are arrivals.

    None where it is not installed: it is no requirement of the project.
    """
    engine = engine_in(folder)
    if engine is None:
        return None
    columns = (
        "day Date, name LowCardinality(String), visitor Int64,"
        " referrer LowCardinality(String), at Int64"
    )
    engine.query(
        f"CREATE TABLE events ({columns}) ENGINE = MergeTree"
        " ORDER BY (name, day, visitor, at)"
    )
    engine.query(
        f"CREATE TABLE arrivals ({columns}) ENGINE = MergeTree"
        " ORDER BY (day, visitor, at)"
    )
    load(engine, "events", url, LOADED, folder / "events.csv")
    engine.query("INSERT INTO arrivals SELECT * FROM events WHERE referrer <> ''")
    for table in ("events", "arrivals"):
        engine.query(f"OPTIMIZE TABLE {table} FINAL")

    def ask(question: Question) -> Rows:
        sql = CLICKHOUSE.format(rule=question.clickhouse, days=CLICKHOUSE_DAYS)
        rows = str(engine.query(sql, "TSV")).splitlines()
        parts = (row.split("\t") for row in rows)
        return {source: (int(times), int(uniques)) for source, times, uniques in parts}

    return ask


def latencies(
    api: Api,
    paths: dict[str, str],
    requests: int,
    seconds: float,
    began: float,
    only: tuple[str, ...],
) -> Figures:
    """p95 of each question, all in turns, with new events in between.

    Once it takes too long there are fewer turns. What has no first answer by then is
    not asked.
    """
    asked = {
        f"{name}_{what}": f"{path}/{question}period=12mo"
        for name, path in paths.items()
        for what, question in (
            ("breakdown", "breakdown?dimension=referrer&"),
            ("breakdown_country", "breakdown?dimension=country&"),
            ("breakdown_channel", "breakdown?dimension=channel&"),
            ("filtered_breakdown", "breakdown?dimension=country&channel=Direct&"),
            ("filter", "stats?country=DE&"),
            ("rate", "rate?referrer=source1.example&"),
        )
    } | {
        f"site_{label}": f"{SITE}/stats?dimensions={label}&period=12mo"
        for label in ("referrer", "country", "channel", "device", "path", "entry_path")
    }
    asked = {name: path for name, path in asked.items() if name.startswith(only)}
    figures: Figures = {}
    for name, path in list(asked.items()):
        say(f"First answer, {name}", began)
        first, _ = answered(api, path, seconds)
        figures[f"{name}_first_answer_ms"] = first
        if first is None:
            del asked[name]
    say(f"{requests} turns of {len(asked)} questions", began)
    times: dict[str, list[float]] = {"trivial": [], **{name: [] for name in asked}}
    started, number = time.monotonic(), 0
    # Of one turn there are no quantiles.
    while number < 2 or (number < requests and time.monotonic() - started < seconds):
        page = {"site": "sk_abc123def456", "type": "pageview"}
        where = f"https://example.com/products/{number % 5000}"
        api("POST", COLLECT, {**page, "url": where})
        for name, path in {"trivial": SITE, **asked}.items():
            before = time.perf_counter()
            api("GET", path)
            times[name].append((time.perf_counter() - before) * 1e3)
        number += 1
    figures["turns"] = number
    p50 = {name: statistics.median(values) for name, values in times.items()}
    p95 = {name: statistics.quantiles(v, n=20)[18] for name, v in times.items()}
    figures |= {"trivial_p50_ms": p50["trivial"], "trivial_p95_ms": p95["trivial"]}
    for name in asked:
        figures[f"{name}_p50_ms"] = p50[name]
        figures[f"{name}_p95_ms"] = p95[name]
        figures[f"{name}_p95_to_trivial"] = p95[name] / p95["trivial"]
    return figures


def kept_bytes(connection: "psycopg.Connection[Any]") -> Figures:
    """What a closed day takes by a label, and a year of 100 goals by all of them."""
    figures: dict[str, float] = {}
    for label in ("referrer", "country", "channel"):
        for whose, is_site in (("site", True), ("goals", False)):
            found = connection.execute(BYTES, [label, is_site]).fetchone()
            size = float(found[0] or 0) if found else 0.0
            # There are three goals.
            figures[f"kept_bytes_{whose}_{label}_day"] = size / (1 if is_site else 3)
    figures["kept_mb_year_of_100_goals_by_referrer"] = (
        figures["kept_bytes_goals_referrer_day"] * 365 * 100 / 1e6
    )
    return {**figures}


if __name__ == "__main__":
    main()
