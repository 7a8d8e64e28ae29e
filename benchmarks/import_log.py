"""How fast logs of each format are imported, and what becomes of their lines.

    python -m benchmarks.import_log [format ...] [--lines 50000] [--postgresql]

Each format gets the same requests, of a mixed day: pages, files, crawlers, errors.
Rates are lines a second of the processor's time, which other programs on the machine
disturb little, without the start of the command, which an empty log tells; on SQLite
that is all of the work. They are also given as a part of what `wc -l` does with the
same file. Each log is imported twice; the second time must store nothing.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.ingest import database, manage
from benchmarks.log_lines import FORMATS, Request
from benchmarks.servers import ROOT

SITE = "sk_abc123def456"
START = datetime(2026, 2, 18, tzinfo=UTC)
BROWSERS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
)
CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
REFERRERS = ("", "", "https://example.com/", "https://www.google.de/")
# What is asked for, of what share of the requests, and the answer.
TARGETS = (
    (35, "GET", "/page/{}?utm_source=news", 200),
    (45, "GET", "/static/{}.css", 200),
    (10, "GET", "/page/{}", 404),
    (10, "POST", "/form/{}", 200),
)
# Visitors of the one site and crawlers; one in fifty asks for another host.
CRAWLERS = 0.1
OTHER_HOSTS = 0.02
# One reading takes less than the clock of the processor's time can tell.
WC_TIMES = 100


def requests(number: int) -> Iterator[Request]:
    chance = random.Random(1)
    shares = [share for share, *_ in TARGETS]
    for place in range(number):
        _, method, target, status = chance.choices(TARGETS, shares)[0]
        who = chance.randrange(number // 10 + 1)
        is_crawler = chance.random() < CRAWLERS
        yield Request(
            at=START + timedelta(seconds=int(place * 86_000 / number)),
            address=f"203.0.{who >> 8 & 255}.{who & 255}",
            method=method,
            target=target.format(chance.randrange(200)),
            status=status,
            size=chance.randrange(200, 50_000),
            referrer=chance.choice(REFERRERS),
            agent=CRAWLER if is_crawler else BROWSERS[who % len(BROWSERS)],
            host="other.example" if chance.random() < OTHER_HOSTS else "example.com",
        )


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, str]:
    """Seconds of the processor's time that a command took, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, done.stdout


def table(printed: str) -> dict[str, int]:
    rows = (row.rpartition(" ") for row in printed.splitlines())
    return {
        name.strip(): int(count.replace(",", ""))
        for name, _, count in rows
        if count.replace(",", "").isdigit()
    }


def measure(name: str, number: int, folder: Path, kind: str) -> dict[str, Any]:
    head, write = FORMATS[name]
    log, empty = folder / f"{name}.log", folder / "empty.log"
    with log.open("w", encoding="latin-1") as stream:
        stream.write(head)
        stream.writelines(f"{write(request)}\n" for request in requests(number))
    empty.touch()
    with database(kind) as url:
        environment = {"DATABASE_URL": url}
        command = [sys.executable, "manage.py", "import_log", "--site", SITE]
        start, _ = timed([*command, str(empty)], environment)
        seconds, printed = timed([*command, str(log)], environment)
        _, again = timed([*command, str(log)], environment)
        count = "from analytics.models import Event;"
        count += "print(Event.objects.values('visitor').distinct().count())"
        visitors = int(manage("shell", "-v0", "-c", count, database=url))
    wc = timed(["wc", "-l", *[str(log)] * WC_TIMES], {})[0] / WC_TIMES
    lines = table(printed)
    read, stored = lines.pop("read"), lines.pop("stored")
    rate = read / (seconds - start)
    return {
        "read": read,
        "stored": stored,
        "dropped": {reason: count for reason, count in lines.items() if count},
        "visitors": visitors,
        "stored_again": table(again)["stored"],
        "lines_a_second": round(rate),
        "of_wc": round(rate / (read / wc), 5),
        "bytes_a_line": round(log.stat().st_size / read),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("formats", nargs="*", choices=[[], *FORMATS], default=[])
    parser.add_argument("--lines", type=int, default=50_000)
    parser.add_argument("--postgresql", action="store_true")
    options = parser.parse_args()
    kind = "postgresql" if options.postgresql else "sqlite"
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.formats or FORMATS:
            row = measure(name, options.lines, Path(folder), kind)
            figures[name] = row
            print(
                f"{name:15} {row['read']:7,} read {row['stored']:7,} stored"
                f" {row['visitors']:6,} visitors {row['stored_again']} again"
                f" {row['lines_a_second']:7,}/s {row['of_wc']:.5f} of wc -l"
                f"  {row['dropped']}",
                flush=True,
            )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
