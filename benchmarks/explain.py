"""How PostgreSQL finds what the API asks for: the plan of each query on events.

    python -m benchmarks.explain [--rows 1200000]

Fills a throw-away database with a year of events of two sites, asks the API each
question, and explains the statements that it really sent, as Markdown for
docs/operations.md. Exits with 1 if one reads all of the table of events.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

import django
import psycopg

from benchmarks.ingest import manage
from tests.postgres import throwaway

SITE = "/api/v1/analytics/sites/sk_abc123def456"

MAKE_SITES = """
from analytics.models import Site, Team
for key in ("sk_abc123def456", "sk_000000000000"):
    Site.objects.create(
        team=Team.default(), site_key=key, domain=f"{key[3:]}.example", name="x"
    )
"""
# Of each site: 2,000 pages, an event and a goal, in 100 contexts.
DIMENSIONS = """
from analytics.events.dictionaries import CONTEXTS, NAMES, Labels
from analytics.models import Site
for site in Site.objects.all():
    pages = {("pageview", f"/products/{number}") for number in range(2000)}
    others = {("event", "signup"), ("goal", "purchase")}
    NAMES.made({(site.pk, name) for name in pages | others})
    CONTEXTS.made({
        (site.pk, Labels(country=country, browser=f"Browser {number}"))
        for country in ("DE", "FR", "GB", "US") for number in range(25)
    })
"""
# In the order of time, as they came. Low numbers are frequent, as with pages;
# one in 100 is a purchase.
EVENTS = """
INSERT INTO analytics_event
    (site_id, day, at, name_id, visitor, context_id, amount, currency, event_id)
SELECT site.id, (at AT TIME ZONE 'UTC')::date, at,
       site.names[1 + (power(random(), 2) * 2000)::int], hashint4(visitor),
       site.contexts[1 + visitor %% 100], amount, code, 'e' || amount || number
FROM (
    SELECT id, row_number() OVER (ORDER BY id) - 1 AS turn,
        ARRAY(SELECT id FROM analytics_eventname WHERE site_id = site.id) AS names,
        ARRAY(SELECT id FROM analytics_context WHERE site_id = site.id) AS contexts
    FROM analytics_site AS site
) AS site
JOIN generate_series(1, %(rows)s) AS number ON number %% 2 = turn,
LATERAL (
    SELECT now() - interval '365 days' * (1 - number / %(rows)s::float) AS at,
        (random() * 1000)::int AS visitor,
        CASE WHEN number %% 100 < 2 THEN 100 * number END AS amount,
        CASE WHEN number %% 100 < 2 THEN 'USD' END AS code
) AS drawn
"""
REFUNDS = """
INSERT INTO analytics_adjustment
    (site_id, day, at, name_id, visitor, context_id, amount, currency, refund_of)
SELECT site_id, day, at, name_id, visitor, context_id, -100, currency, event_id
FROM analytics_event WHERE event_id IS NOT NULL
"""

GOAL = {"name": "Purchase", "type": "custom", "match_type": "exact"}
GOAL |= {"match_value": "purchase", "currency": "USD"}
PAGES = {"type": "pageview", "match_type": "contains", "match_value": "/products/7"}
STEPS = [{**PAGES, "match_value": "/products/"}, {"type": "event"}]
EVENT = {"type": "event", "name": "signup", "visitor_id": "1", "id": "e1"}
STEPS[1] |= {"match_type": "exact", "match_value": "signup"}

# What is asked, in this order: the second question about closed days finds them.
QUESTIONS: tuple[tuple[str, str, str, Any], ...] = (
    ("Stats of a goal, first answer", "GET", "{goal}/stats?period=12mo", None),
    ("Stats of a goal, from then on", "GET", "{goal}/stats?period=12mo", None),
    ("Stats with a filter", "GET", "{goal}/stats?country=DE", None),
    ("Stats of all goals", "GET", "/goals/stats", None),
    ("What revenue is made of", "GET", "{goal}/stats?detail=money", None),
    (
        "Time series by hours",
        "GET",
        "{goal}/timeseries?period=7d&interval=hour",
        None,
    ),
    ("Breakdown", "GET", "{goal}/breakdown?dimension=country", None),
    ("Conversion rate", "GET", "{goal}/rate", None),
    ("Conversions one by one", "GET", "{goal}/conversions?limit=50", None),
    ("Preview", "POST", "/goals/preview", PAGES),
    ("Funnel", "POST", "/funnels/query", {"steps": STEPS}),
    ("Statistics of a site", "GET", "/stats?dimensions=path,country", None),
    ("Statistics of a site, a year", "GET", "/stats?period=12mo", None),
    ("Right now", "GET", "/realtime", None),
    ("Events, the newest", "GET", "/events?limit=50", None),
    ("Events of a name", "GET", "/events?limit=50&name=purchase", None),
    ("Events of a type", "GET", "/events?limit=50&type=goal", None),
    ("An event with an id", "POST", "/events", EVENT),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_200_000)
    options = parser.parse_args()
    with throwaway() as url:
        fill(url, options.rows)
        os.environ |= {"DATABASE_URL": url, "RATE_LIMIT_API": "0"}
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "krafter.settings")
        django.setup()
        found = list(explained())
    if whole := [title for title, is_whole in found if is_whole]:
        sys.exit(f"The whole table is read for: {', '.join(whole)}")


def fill(url: str, rows: int) -> None:
    manage("migrate", "--verbosity", "0", database=url)
    manage("shell", "-v0", "-c", MAKE_SITES, database=url)
    manage("shell", "-v0", "-c", DIMENSIONS, database=url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(EVENTS, {"rows": rows})
        connection.execute(REFUNDS)
        # For index-only scans, and for statistics; autovacuum does it in time.
        connection.execute("VACUUM ANALYZE")


def explained() -> Iterator[tuple[str, bool]]:
    """Print each question's plans; its title, and whether one reads all events."""
    # They need Django set up.
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from analytics.models import ApiToken, Team

    _, secret = ApiToken.issue(team=Team.default(), name="explain", scopes=["*"])
    client = Client(headers={"Authorization": f"Bearer {secret}", "Host": "localhost"})

    def ask(method: str, path: str, body: Any) -> Any:
        sent = json.dumps(body) if body else ""
        status = 503
        # On a busy machine the past takes several requests.
        while status == 503:
            response = client.generic(method, SITE + path, sent, "application/json")
            status = response.status_code
        if response.status_code >= 300:
            raise RuntimeError(f"{path}: {response.status_code} {response.content!r}")
        return response.json()["data"]

    goal = f"/goals/{ask('POST', '/goals', GOAL)['id']}"
    ask("POST", "/goals", {**PAGES, "name": "Pages"})
    for title, method, path, body in QUESTIONS:
        with CaptureQueriesContext(connection) as captured:
            ask(method, path.format(goal=goal), body)
        plans = []
        for query in captured:
            if _reads_events(query["sql"]):
                with connection.cursor() as cursor:
                    cursor.execute(f"EXPLAIN (COSTS OFF) {query['sql']}")
                    plans.append([str(line) for (line,) in cursor.fetchall()])
        show(title, method, path, plans)
        lines = [line for plan in plans for line in plan]
        yield title, any(_WHOLE.search(line) for line in lines)


_WHOLE = re.compile(r"Seq Scan on analytics_event\b")


def _reads_events(sql: str) -> bool:
    # DECLARE is a cursor's: all its rows are read.
    reads = sql.startswith(("SELECT", "WITH", "(SELECT", "DECLARE"))
    return reads and '"analytics_event"' in sql


def show(title: str, method: str, path: str, plans: list[list[str]]) -> None:
    print(f"### {title}\n\n`{method} {path}`\n")
    scans = [scan for plan in plans for scan in _scans(plan)]
    print("```")
    # Many statements are one, for other days.
    print("\n".join(dict.fromkeys(scans)))
    print("```\n")


_CONDITION = re.compile(r" *(Index Cond|Recheck Cond|Filter): ")
_VALUES = (
    # Lists of ids, then days and moments, then types: not what a plan is about.
    (re.compile(r"'\{[\d,-]+\}'"), "…"),
    (re.compile(r"'\d{4}-\d\d-\d\d[^']*'"), "…"),
    (re.compile(r"\((\w+)\)::\w+"), r"\1"),
    (re.compile(r"::(date|text|timestamp with time zone|\w*int\w*)(\[\])?"), ""),
    (re.compile(r"\bid > \d+"), "id > …"),
    (re.compile(r"\beach_\d\b"), "each"),
    (re.compile(r" (analytics_\w+) \w+$"), r" \1"),
)


def _scans(plan: list[str]) -> Iterator[str]:
    """How tables are read, without values; what is done with the rows is left out."""
    scan = ""
    for line in plan:
        for pattern, less in _VALUES:
            line = pattern.sub(less, line)
        node = line.strip().removeprefix("->").strip()
        is_part = node.startswith("Bitmap Index Scan")
        if " Scan " in node and "analytics_" in node and not is_part:
            yield from [scan] * bool(scan)
            scan = node
        elif scan and _CONDITION.match(line):
            scan += f"\n    {node}"
        elif "->" in line and not is_part:
            yield from [scan] * bool(scan)
            scan = ""
        elif is_part:
            scan += f"\n  {node}"
    yield from [scan] * bool(scan)


if __name__ == "__main__":
    main()
