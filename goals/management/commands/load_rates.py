"""Load exchange rates from a CSV file of the European Central Bank."""

import sys
from argparse import ArgumentParser
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from analytics.access import audit
from goals.money import rates

# Rates per transaction, about a year of the file.
_BATCH = 10_000


class Command(BaseCommand):
    help = (
        "Load the European Central Bank's exchange rates: eurofxref.csv (one day) or"
        " eurofxref-hist.csv (all since 1999). Loading a file again changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="path of the CSV file, - for standard input")

    def handle(self, *args: Any, **options: Any) -> None:
        codes: list[str] = []
        pending: dict[tuple[str, date], str] = {}
        counts: Counter[str] = Counter()
        for line in tqdm(_lines(options["file"]), unit=" lines", disable=None):
            try:
                if line.startswith("Date"):
                    codes = rates.read_header(line)
                    continue
                pending |= rates.read_line(line, codes)
                counts["days"] += 1
            except rates.LineError:
                counts["malformed"] += 1
            if len(pending) >= _BATCH:
                counts.update(rates.store(pending))
                pending.clear()
        if not codes:
            raise CommandError("Not an ECB file: no line begins with Date.")
        counts.update(rates.store(pending))
        audit.record(
            "rates.loaded",
            changes={name: [0, counts[name]] for name in ("new", "changed")},
        )
        self.stdout.write(
            f"{counts['days']:,} days read: {counts['new']:,} new rates,"
            f" {counts['changed']:,} changed."
            f" {counts['malformed']:,} malformed lines ignored."
        )


def _lines(path: str) -> list[str]:
    """Return the lines that are not blank. Invalid UTF-8 is replaced."""
    try:
        raw = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    text = raw.decode("utf-8-sig", errors="replace")
    return [line for line in text.splitlines() if line.strip()]
