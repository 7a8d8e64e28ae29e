"""How fast events come in, as ratios inside one run.

    python -m benchmarks.ingest [part ...] [--seconds 8] [--rounds 3]

Needs wrk (Debian's package). Everything runs on this machine: the load, the
service and a throw-away database with fsync on. Each ratio is the median over
rounds in which ours and what it is measured against take turns.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from benchmarks.servers import ROOT, Server, serve_service, serve_trivial
from tests.postgres import throwaway

CONNECTIONS = 64
COLLECT = "/api/v1/analytics/collect"
EVENTS = "/api/v1/analytics/sites/sk_abc123def456/events"
BATCH = 1_000


def load(
    url: str,
    seconds: int,
    *,
    script: str = "collect.lua",
    connections: int = CONNECTIONS,
    many_addresses: bool = False,
) -> dict[str, float]:
    """Send for some seconds; requests a second, p50 and p99 in ms, failures."""
    path = ROOT / "benchmarks" / script
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(path)]
    # Slow is no failure here; p99 tells it.
    command += ["--timeout", "60s"]
    printed = subprocess.run(
        [*command, "--latency", url],
        cwd=ROOT,
        env={**os.environ, "BENCHMARK_ADDRESSES": "many" if many_addresses else "one"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    told: dict[str, float] = json.loads(printed.splitlines()[-1])
    told["rate"] = told["requests"] / told["seconds"]
    return told


def manage(*arguments: str, database: str) -> str:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@contextlib.contextmanager
def database(kind: str) -> Iterator[str]:
    """A migrated database with the site; its URL. Durable on both kinds."""
    with contextlib.ExitStack() as stack:
        if kind == "postgresql":
            url = stack.enter_context(
                throwaway(
                    durable=True, settings=["shared_buffers=1GB", "max_wal_size=8GB"]
                )
            )
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            url = f"sqlite:///{folder}/krafter.sqlite3"
        manage("migrate", "--verbosity", "0", database=url)
        manage("shell", "-v0", "-c", MAKE_SITE, database=url)
        yield url


MAKE_SITE = """
from analytics.models import Site, Team
Site.objects.create(
    team=Team.default(), site_key="sk_abc123def456", domain="example.com", name="x"
)
"""


@contextlib.contextmanager
def service(url: str, **options: Any) -> Iterator[Server]:
    """The service with its limits counted as always, but never reached."""
    options |= {"RATE_LIMIT_COLLECT": str(10**9), "RATE_LIMIT_API": str(10**9)}
    # The load is the proxy of all addresses that it names.
    options |= {"TRUSTED_PROXIES": "127.0.0.1"}
    with serve_service(DATABASE_URL=url, **options) as it:
        load(it.url + COLLECT, 2)
        yield it


def stored(url: str) -> int:
    count = "from analytics.models import Event; print(Event.objects.count())"
    return int(manage("shell", "-v0", "-c", count, database=url))


def single_events(
    kind: str, *, seconds: int, rounds: int, many_addresses: bool = False
) -> dict[str, float]:
    """Ours against a trivial WSGI app and a constant Django view, in turns.

    From one address, or each request from another, as it is in reality.
    """
    rates: dict[str, list[float]] = {"trivial": [], "django": [], "ours": []}
    tails: list[float] = []
    memory: list[float] = []
    with (
        database(kind) as url,
        serve_trivial("benchmarks.trivial:application") as trivial,
        serve_trivial("benchmarks.trivial:django_application") as django,
        service(url) as ours,
    ):
        time.sleep(1)
        before, sent = stored(url), 0
        for _ in range(rounds):
            rates["trivial"].append(load(trivial.url, seconds)["rate"])
            rates["django"].append(load(django.url, seconds)["rate"])
            told = load(ours.url + COLLECT, seconds, many_addresses=many_addresses)
            if told["failed"]:
                raise RuntimeError(f"{told['failed']} requests failed")
            rates["ours"].append(told["rate"])
            memory.append(ours.resident_kib() / 1024)
            tails.append(told["p99_ms"])
            sent += int(told["requests"])
        time.sleep(1)
        # wrk leaves up to one request a connection unanswered when it stops.
        kept = stored(url) - before
        if not sent <= kept <= sent + (rounds + 1) * CONNECTIONS:
            raise RuntimeError(f"{sent} acknowledged, {kept} stored")
    return {
        "trivial_per_s": statistics.median(rates["trivial"]),
        "ours_per_s": statistics.median(rates["ours"]),
        "p99_ms": statistics.median(tails),
        "ratio_to_trivial": _ratio(rates["ours"], rates["trivial"]),
        "memory_mib": max(memory),
        "ratio_to_django_view": _ratio(rates["ours"], rates["django"]),
    }


def _ratio(ours: list[float], others: list[float]) -> float:
    pairs = zip(ours, others, strict=True)
    return statistics.median(mine / other for mine, other in pairs)


def batches(kind: str, *, seconds: int, rounds: int) -> dict[str, float]:
    """Batches of 1,000 over HTTP against a bare COPY of the same rows."""
    rates: dict[str, list[float]] = {"copy": [], "ours": []}
    with database(kind) as url, service(url, workers=2, threads=8) as ours:
        key = manage("create_token", "--name=load", "--scopes=*", database=url)
        os.environ["KRAFTER_KEY"] = key
        load(ours.url + EVENTS, 2, script="batches.lua", connections=4)
        for _ in range(rounds):
            told = load(ours.url + EVENTS, seconds, script="batches.lua", connections=4)
            if told["failed"]:
                raise RuntimeError(f"{told['failed']} requests failed")
            rates["ours"].append(told["rate"] * BATCH)
            if kind == "postgresql":
                rates["copy"].append(_bare_copy(url, rows=200_000))
    found = {"events_per_s": statistics.median(rates["ours"])}
    if rates["copy"]:
        found["copy_rows_per_s"] = statistics.median(rates["copy"])
        found["ratio_to_copy"] = _ratio(rates["ours"], rates["copy"])
    return found


def _bare_copy(url: str, *, rows: int) -> float:
    """Rows a second of one COPY of stored events into their own table again."""
    columns = (
        "site_id, day, at, name_id, visitor, context_id, page_id, amount, currency,"
        " props"
    )
    newest = f"SELECT {columns} FROM analytics_event ORDER BY id DESC LIMIT {rows}"
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        with cursor.copy(f"COPY ({newest}) TO STDOUT") as copy:
            data = [bytes(block) for block in copy]
        connection.commit()
        start = time.perf_counter()
        with cursor.copy(f"COPY analytics_event ({columns}) FROM STDIN") as copy:
            for block in data:
                copy.write(block)
        connection.commit()
        return len(data) / (time.perf_counter() - start)


def growth(*, seconds: int, rounds: int, millions: list[int]) -> dict[str, float]:
    """Rates of single events as the table grows, against the empty one's."""
    with (
        database("postgresql") as url,
        serve_trivial("benchmarks.trivial:application") as trivial,
        service(url) as ours,
    ):
        ratios = {}
        for target in millions:
            fill(url, target * 1_000_000)
            pairs = [
                (
                    load(ours.url + COLLECT, seconds)["rate"],
                    load(trivial.url, seconds)["rate"],
                )
                for _ in range(rounds)
            ]
            ratios[target] = statistics.median(mine / other for mine, other in pairs)
        empty = ratios[millions[0]]
        return {f"at_{n}_million": ratio / empty for n, ratio in ratios.items()}


def fill(url: str, rows: int) -> None:
    """Spread synthetic events of the site over the last year, up to `rows`."""
    with psycopg.connect(url, autocommit=True) as connection:
        missing = rows - stored(url)
        if missing > 0:
            connection.execute(FILL, [missing])
            connection.execute("VACUUM ANALYZE analytics_event")
            connection.execute("CHECKPOINT")


FILL = """
INSERT INTO analytics_event
    (site_id, day, at, name_id, visitor, context_id)
SELECT site.id, at::date, at, name.id, (random() * 2e6)::bigint, context.id
FROM (SELECT min(id) AS id FROM analytics_site) AS site,
     (SELECT min(id) AS low, max(id) - min(id) AS span
      FROM analytics_eventname) AS names,
     (SELECT min(id) AS id FROM analytics_context) AS context,
     generate_series(1, %s) AS number,
     LATERAL (SELECT now() - interval '1 year' * random() AS at) AS time,
     LATERAL (SELECT low + (number::bigint * 7919) %% (span + 1) AS id) AS name
"""


def memory(*, events: int) -> dict[str, float]:
    """Resident memory of a worker before and after many events, in MiB."""
    with database("postgresql") as url, service(url) as ours:
        first = ours.resident_kib()
        sent = 0.0
        while sent < events:
            sent += load(ours.url + COLLECT, 10)["requests"]
        return {
            "events": sent,
            "start_mib": first / 1024,
            "end_mib": ours.resident_kib() / 1024,
        }


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, float]]] = {
    "single_postgresql": lambda o: single_events(
        "postgresql", seconds=o.seconds, rounds=o.rounds
    ),
    "single_sqlite": lambda o: single_events(
        "sqlite", seconds=o.seconds, rounds=o.rounds
    ),
    "addresses_postgresql": lambda o: single_events(
        "postgresql", seconds=o.seconds, rounds=o.rounds, many_addresses=True
    ),
    "addresses_sqlite": lambda o: single_events(
        "sqlite", seconds=o.seconds, rounds=o.rounds, many_addresses=True
    ),
    "batches_postgresql": lambda o: batches(
        "postgresql", seconds=o.seconds, rounds=o.rounds
    ),
    "batches_sqlite": lambda o: batches("sqlite", seconds=o.seconds, rounds=o.rounds),
    "growth": lambda o: growth(seconds=o.seconds, rounds=o.rounds, millions=[0, 1, 10]),
    "memory": lambda o: memory(events=1_000_000),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[])
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is needed: apt-get install wrk")
    figures: dict[str, Any] = {}
    for part in options.parts or PARTS:
        figures[part] = PARTS[part](options)
        print(part)
        for name, value in figures[part].items():
            print(f"  {name:24} {value:14.3f}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
