"""What the service answers while something under it fails, and what is kept.

    python -m benchmarks.faults [--short] [--times 3] [--only NAME,NAME]

A row a fault, each `--times` times under load: visitors send events and retry none, so
that each is told once whether it was stored; others ask the API, open the admin's
login and fetch the script. In the end each event that was acknowledged must be there
once, and the stats of a goal must be what a recount finds. All servers are real, run
here, and listen on 127.0.0.1. It fails if something was lost, doubled, miscounted,
answered 500, not answered, or late. `--short`: a fault of each kind, once each, in
under two minutes; what is late is printed and no failure, since CI's machine may be
slow. All of them three times take about twelve minutes.
"""

import argparse
import contextlib
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.clients import SITE, Answers, Clients
from benchmarks.crash import Database
from benchmarks.ingest import MAKE_SITE, manage
from benchmarks.outages import (
    Fault,
    Proxy,
    Stage,
    flapping,
    frozen,
    full,
    full_disk,
    locked,
    nothing,
    out_of_connections,
    read_only,
    redis_frozen,
    redis_server,
    reloaded,
    restarting,
    stopped,
    swallowed,
    worker_killed,
)
from benchmarks.servers import ROOT, Server, serve_service

# How long a fault lasts, and how long clients go on after it.
SECONDS = 4.0
SECONDS_AFTER = 3.0
MAX_SECONDS = 3.0
MAX_SCRIPT_SECONDS = 0.1
MAX_RECOVERY_SECONDS = 2.0
# Of no machine: such an answer waited for something that did not come.
HANG_SECONDS = 3 * MAX_SECONDS
LINES_A_MINUTE = 10

# Of a fault: figures by column.
Row = dict[str, Any]
_T = TypeVar("_T")


POSTGRESQL: dict[str, Fault] = {
    "stopped": stopped,
    "frozen": frozen,
    "swallowed": swallowed,
    "read only": read_only,
    "full": full,
    "out of connections": out_of_connections,
    "restarting": restarting,
    "flapping": flapping,
    "worker killed": worker_killed,
    "reloaded": reloaded,
    "redis frozen": redis_frozen,
}
# Of one of two services, all the time.
CLOCKS = {
    "clock 70 minutes behind": "-70m",
    "clock 3 days behind": "-3d",
    "clock 2 days ahead": "+2d",
}
SQLITE: dict[str, Fault] = {"sqlite full": full_disk, "sqlite locked": locked}
# A kind each: gone, silent, refusing, unsteady, a wrong clock.
_SHORT = ("stopped", "frozen", "read only", "flapping", "clock 70 minutes behind")
# Programs, called as Debian's packages are.
_NEEDS = {"redis frozen": "redis-server", **dict.fromkeys(CLOCKS, "faketime")}
# Whoever is killed answers nobody until there is another.
_OF_WORKERS = ("worker killed",)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="some faults, once each")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--only", help="names of faults, with commas between")
    options = parser.parse_args()
    wanted = options.only.split(",") if options.only else None
    if options.short and wanted is None:
        wanted = list(_SHORT)
    needed = set(_named(_NEEDS, wanted).values())
    if missing := sorted(each for each in needed if shutil.which(each) is None):
        parser.error(f"install {' and '.join(missing)}, or name other faults by --only")
    began = time.monotonic()
    told: dict[str, Row] = {}
    print(_line(_COLUMNS))
    for name, row in _rows(wanted, 1 if options.short else options.times):
        told[name] = row
        print(_line([name, *(str(row[column]) for column in _COLUMNS[1:])]), flush=True)
    wrong = _of_each(_wrong, told)
    late = _of_each(_late, told)
    for sentence in wrong + late:
        print(sentence, file=sys.stderr)
    seconds = round(time.monotonic() - began)
    told_all = {"seconds": seconds, "faults": told, "wrong": wrong, "late": late}
    print(json.dumps(told_all))
    sys.exit(1 if wrong or (late and not options.short) else 0)


def _of_each(
    judge: Callable[[str, Row], Iterator[str]], told: dict[str, Row]
) -> list[str]:
    return [
        f"{name}: {said}" for name, row in told.items() for said in judge(name, row)
    ]


def _rows(wanted: list[str] | None, times: int) -> Iterator[tuple[str, Row]]:
    """The rows of the wanted faults; of all, if none are named."""
    faults = _named(POSTGRESQL, wanted)
    clocks = _named(CLOCKS, wanted)
    if faults or clocks:
        with _postgresql() as stage:
            for name, fault in faults.items():
                yield name, _on_postgresql(stage, fault, times)
            for name, offset in clocks.items():
                yield name, _on_postgresql(stage, nothing, times, offset=offset)
    for name, fault in _named(SQLITE, wanted).items():
        yield name, _on_sqlite(fault, times)


def _named(faults: dict[str, _T], wanted: list[str] | None) -> dict[str, _T]:
    return {n: each for n, each in faults.items() if wanted is None or n in wanted}


_COLUMNS = [
    "fault",
    "acknowledged",
    "lost",
    "doubled",
    "stored_only",
    "statuses",
    "slowest",
    "script_slowest",
    "recovery",
    "lines",
    "counted",
    "recounted",
]


def _line(cells: list[str]) -> str:
    first, *others = cells
    return f"{first:24}" + " ".join(f"{cell:>13}" for cell in others)


def _wrong(name: str, row: Row) -> Iterator[str]:
    for column in ("lost", "doubled", "without_retry_after"):
        if row[column]:
            yield f"{column} {row[column]}"
    if any(status.endswith("500") for status in row["statuses"].split()):
        yield f"statuses {row['statuses']}"
    if row["counted"] != row["recounted"] or row["wrong_days"]:
        yield f"counted {row['counted']}, recounted {row['recounted']}"
    if name == "reloaded" and ":503" in row["statuses"]:
        yield f"statuses {row['statuses']}"
    if row["lines"] > row["allowed_lines"]:
        yield f"lines {row['lines']}"
    if not row["lines"] and ":503" in row["statuses"]:
        yield "no line says why"
    if max(row["slowest"], row["script_slowest"]) > HANG_SECONDS:
        yield f"an answer took over {HANG_SECONDS:g} s"


def _late(name: str, row: Row) -> Iterator[str]:
    if name not in _OF_WORKERS and row["slowest"] > MAX_SECONDS:
        yield f"slowest {row['slowest']}"
    if name not in _OF_WORKERS and row["script_slowest"] > MAX_SCRIPT_SECONDS:
        yield f"script_slowest {row['script_slowest']}"
    if row["recovery"] > MAX_RECOVERY_SECONDS:
        yield f"recovery {row['recovery']}"


@dataclass
class Prepared:
    """A migrated database with a site; a key, and the id of the site's goal."""

    url: str
    secret: str
    goal: str
    database: Database | None = None


@contextlib.contextmanager
def _postgresql() -> Iterator[Prepared]:
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Database(
            Path(folder), "max_connections=40", "superuser_reserved_connections=0"
        ) as database,
    ):
        secret, goal = _prepare(database.url)
        yield Prepared(database.url, secret, goal, database)


def _on_postgresql(
    prepared: Prepared, fault: Fault, times: int, offset: str = ""
) -> Row:
    """With a service of its own, so that each says anew what is wrong."""
    database = prepared.database
    assert database is not None
    with contextlib.ExitStack() as stack:
        log = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "service.log"
        through, proxy, redis = prepared.url, None, None
        settings = {}
        if fault is swallowed:
            proxy = Proxy(database.port)
            stack.callback(proxy.close)
            through = through.replace(str(database.port), str(proxy.port))
        if fault is redis_frozen:
            redis, settings["CACHE_URL"] = stack.enter_context(redis_server())
        service = stack.enter_context(_serve(through, log, **settings))
        urls = [service.url]
        if offset:
            wrong = stack.enter_context(_serve(through, log, clock=offset))
            urls.append(wrong.url)
        stage = Stage(service, prepared.url, database, proxy, redis)
        return _measure(fault, times, stage, urls, log, prepared)


def _on_sqlite(fault: Fault, times: int) -> Row:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        disk = folder / "disk"
        disk.mkdir()
        if fault is full_disk:
            # Of its own, so that it can be filled.
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=12m", "none", disk], check=True
            )
            stack.callback(lambda: subprocess.run(["umount", "-l", str(disk)]))
        url = f"sqlite:///{disk / 'krafter.sqlite3'}"
        prepared = Prepared(url, *_prepare(url))
        log = folder / "service.log"
        service = stack.enter_context(_serve(url, log, DATA_DIR=str(disk)))
        stage = Stage(service, url, folder=disk)
        return _measure(fault, times, stage, [service.url], log, prepared)


def _prepare(url: str) -> tuple[str, str]:
    """A migrated database with the site and a goal; a key, and the goal's id."""
    manage("migrate", "--verbosity", "0", database=url)
    manage("shell", "-v0", "-c", MAKE_SITE, database=url)
    secret = manage("create_token", "--name", "x", "--scopes", "*", database=url)
    goal = manage("shell", "-v0", "-c", _MAKE_GOAL, database=url)
    return secret.strip(), goal.strip()


_MAKE_GOAL = """
from analytics.models import Site
from goals.models import Goal
print(Goal.objects.create(
    site=Site.objects.get(), name="Paid", type="event", match_type="exact",
    match_value="paid",
).id)
"""


def _serve(
    url: str, log: Path, *, clock: str = "", **settings: str
) -> contextlib.AbstractContextManager[Server]:
    return serve_service(
        workers=2,
        threads=8,
        log=log,
        clock=clock,
        DATABASE_URL=url,
        RATE_LIMIT_COLLECT=str(10**9),
        RATE_LIMIT_API=str(10**9),
        **settings,
    )


def _measure(
    fault: Fault,
    times: int,
    stage: Stage,
    urls: list[str],
    log: Path,
    prepared: Prepared,
) -> Row:
    before = len(log.read_text().splitlines())
    # A prefix of its own: the events of earlier faults are in the same table.
    prefix = uuid.uuid4().hex
    began_all = time.monotonic()
    recoveries = []
    with Clients(urls, prepared.secret, prepared.goal, prefix) as clients:
        time.sleep(2)
        for _ in range(times):
            with fault(stage):
                time.sleep(SECONDS)
            over = time.monotonic()
            time.sleep(SECONDS_AFTER)
            recoveries.append(_recovery(clients.answers, over))
    minutes = math.ceil((time.monotonic() - began_all) / 60)
    lines = log.read_text().splitlines()[before:]
    if os.environ.get("FAULTS_LOG"):
        sys.stderr.write("".join(f"{line}\n" for line in lines[:99]))
    all_stored = _stored(stage.url)
    stored = Counter(name for name in all_stored if name.startswith(prefix))
    answers = clients.answers
    of_all = [took for _, who, _, took in answers.all if who != "script"]
    of_script = [took for _, who, _, took in answers.all if who == "script"]
    statuses = Counter(
        f"{who}:{status}" for _, who, status, _ in answers.all if status != 429
    )
    return {
        "times": times,
        "acknowledged": len(answers.acknowledged),
        "lost": len(answers.acknowledged - stored.keys()),
        "doubled": sum(number - 1 for number in stored.values()),
        "stored_only": len(stored.keys() - answers.acknowledged),
        "statuses": " ".join(f"{n}x{s}" for s, n in sorted(statuses.items())),
        "without_retry_after": answers.without_retry_after,
        "slowest": round(max(of_all), 2),
        "script_slowest": round(max(of_script), 3),
        "recovery": round(max(recoveries), 2),
        "lines": len(lines),
        # One at once for each time, and ten a minute.
        "allowed_lines": times + LINES_A_MINUTE * minutes,
        "counted": _ask_stats(stage.service.url, prepared.secret, prepared.goal),
        "recounted": len(all_stored),
        "wrong_days": _wrong_days(stage.url),
    }


def _wrong_days(url: str) -> int:
    """The exit code of `verify`: 0 if every kept day is what a recount finds."""
    return subprocess.run(
        [sys.executable, "manage.py", "verify"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
    ).returncode


def _recovery(answers: Answers, over: float) -> float:
    """How long after the end of a fault the last request was sent that failed."""
    late = [
        began - over
        for began, who, status, _ in list(answers.all)
        if who in ("collect", "api") and status not in (200, 202) and began > over
    ]
    return max(late, default=0.0)


def _stored(url: str) -> list[str]:
    code = (
        "import json\n"
        "from analytics.models import Event\n"
        "rows = Event.objects.values_list('props', flat=True)\n"
        "print(json.dumps([r['n'] for r in rows]))"
    )
    return list(json.loads(manage("shell", "-v0", "-c", code, database=url)))


def _ask_stats(url: str, secret: str, goal: str) -> int:
    path = f"/api/v1/analytics/sites/{SITE}/goals/{goal}/stats?period=7d"
    request = urllib.request.Request(
        url + path, headers={"Authorization": f"Bearer {secret}"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return int(json.load(response)["data"]["conversions"])


if __name__ == "__main__":
    main()
