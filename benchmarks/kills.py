"""Export, import, pruning and erasure, each killed at random moments.

    python -m benchmarks.kills [postgresql] [sqlite] [--events 200000] [--kills 10]

Each is killed (SIGKILL) and begun again until so many kills took it from its work;
then it goes on to its end. One that came to its end before is begun anew. Nothing may
be lost or doubled: events and all goals' totals, by label too, are those of before.
The last line is JSON.
"""

import argparse
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from benchmarks.ingest import database, manage
from benchmarks.lifecycle import KEY, MAKE, TEAM, TOTALS, shell
from benchmarks.servers import ROOT

# Says when it begins, and does not wait for questions that nobody asks.
BEGUN = """
import django, sys
django.setup()
from django.core.management import call_command
from analytics.lifecycle import export, prune
prune.GRACE_SECONDS = 0
export.PAGE_BYTES = 128 * 1024
print("begun", flush=True)
call_command(*sys.argv[1:])
"""
_ATTEMPTS = 40


class Work(NamedTuple):
    """A command, and how to tell that it did something. `again` undoes all of it.

    `is_over`: whether one that cannot be begun a second time came to its end.
    """

    arguments: list[str]
    url: str
    done: Callable[[], Any]
    again: Callable[[], object]
    is_over: Callable[[], bool] = lambda: False


def begin(work: Work) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", BEGUN, *work.arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": work.url,
            "DJANGO_SETTINGS_MODULE": "krafter.settings",
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    if process.stdout.readline() != "begun\n":
        raise SystemExit(f"{work.arguments[0]} did not begin")
    return process


def killed(work: Work, kills: int, seconds: float) -> int:
    """Kill it at random moments, and let it end; how many kills it was at work."""
    number = 0
    for _ in range(_ATTEMPTS * kills):
        before = work.done()
        process = begin(work)
        if number < kills:
            time.sleep(random.random() * seconds / kills)
            if process.poll() is None:
                process.kill()
                process.wait()
                if work.is_over():
                    work.again()
                else:
                    number += work.done() != before
                continue
        if process.wait():
            raise SystemExit(f"{work.arguments[0]} failed")
        if number == kills:
            return number
        work.again()
    return number


def answer(url: str, sql: str) -> tuple[Any, ...]:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as opened:
            return tuple(opened.execute(sql).fetchone())
    with psycopg.connect(url) as connected:
        return tuple(connected.execute(sql).fetchone() or ())


_EVENTS = "SELECT COUNT(*) FROM analytics_event"
_SITES = "SELECT COUNT(*) FROM analytics_site"
_IMPORTED = (
    "SELECT (SELECT SUM(events) FROM analytics_importedsite),"
    " (SELECT COUNT(*) FROM analytics_labelmonth),"
    " (SELECT COUNT(*) FROM analytics_eventname)"
)
_PRUNED = (
    f"SELECT ({_EVENTS}), (SELECT SUM(counted) FROM analytics_labelmonth),"
    " (SELECT SUM(counted) FROM goals_goalmonth),"
    " (SELECT SUM(counted) FROM analytics_namemonth)"
)
_BORDER = "SELECT CAST(before AS text) FROM analytics_seal"


def timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def measure(kind: str, events: int, kills: int) -> dict[str, Any]:
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
        file = Path(folder) / "team.ndjson"
        part = file.with_name(f"{file.name}.part")

        took = timed(lambda: manage("export_team", f"{file}0", database=url))
        export = Work(
            ["export_team", str(file)],
            url,
            lambda: part.stat().st_size if part.exists() else 0,
            file.unlink,
            file.exists,
        )
        figures["export_kills"] = killed(export, kills, took)

        shell(TEAM, other)
        arguments = ["import_team", str(file), "--team", "Default"]

        def erase() -> None:
            manage("erase", "--site", KEY, "--yes", database=other)

        def load() -> None:
            erase()
            manage(*arguments, database=other)

        took = timed(lambda: manage(*arguments, database=other))
        erase()
        imported = Work(arguments, other, lambda: answer(other, _IMPORTED), erase)
        figures["import_kills"] = killed(imported, kills, took)
        figures["moved_events_equal"] = answer(other, _EVENTS) == (events,)
        figures["moved_totals_equal"] = shell(TOTALS, other) == before

        pruned = Work(["prune"], other, lambda: answer(other, _PRUNED), load)
        figures["prune_kills"] = killed(pruned, kills, took)
        (border,) = answer(other, _BORDER)
        left = f"{_EVENTS} WHERE day >= '{border}'"
        is_equal = answer(other, _EVENTS) == answer(other, left) == answer(url, left)
        figures["pruned_events_equal"] = is_equal
        figures["pruned_totals_equal"] = shell(TOTALS, other) == before

        load()
        took = timed(erase)
        manage(*arguments, database=other)
        erased = Work(
            ["erase", "--site", KEY, "--yes"],
            other,
            lambda: answer(other, _EVENTS),
            lambda: manage(*arguments, database=other),
            lambda: answer(other, _SITES) == (0,),
        )
        figures["erase_kills"] = killed(erased, kills, took)
        figures["erased_nothing_left"] = answer(other, _EVENTS) == (0,)
        figures["erased_site_gone"] = answer(other, _SITES) == (0,)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    kinds = ["postgresql", "sqlite"]
    parser.add_argument("kinds", nargs="*", choices=[[], *kinds], default=[])
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--kills", type=int, default=10)
    options = parser.parse_args()
    figures = {}
    for kind in options.kinds or kinds:
        figures[kind] = measure(kind, options.events, options.kills)
        print(kind)
        for name, value in figures[kind].items():
            print(f"  {name:26} {value}", flush=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
