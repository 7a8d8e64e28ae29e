"""Load exchange rates out of a CSV file of the European Central Bank."""

import sys
from argparse import ArgumentParser
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from goals.money import rates

# Rates a transaction: most of a year of the bank's.
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
            raise CommandError("No line begins with Date: not a file of the ECB's")
        counts.update(rates.store(pending))
        self.stdout.write(
            f"{counts['days']:,} days read: {counts['new']:,} new rates,"
            f" {counts['changed']:,} changed."
            f" {counts['malformed']:,} lines left out as malformed."
        )


def _lines(path: str) -> list[str]:
    """The lines that are not blank; an unreadable byte spoils only its own."""
    try:
        raw = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    text = raw.decode("utf-8-sig", errors="replace")
    return [line for line in text.splitlines() if line.strip()]
