"""Show the disk space of each site, its growth, and when the disk is full."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from tqdm import tqdm

from analytics.lifecycle import size
from analytics.lifecycle.size import SiteSize
from analytics.models import Site
from krafter import clock

_COLUMNS = ("site", "domain", "events", "event data", "indexes", "names", "kept days")
_FORMAT = "{:15}  {:24.24}  {:>12}  {:>10}  {:>9}  {:>9}  {:>9}  {:>12}  {:>11}"


class Command(BaseCommand):
    help = (
        "Show what each site takes of the database, how fast it grows, and when the"
        " disk is full at that rate. Numbers with a ~ are estimated."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--free",
            type=float,
            metavar="GB",
            help="what the disk has free; otherwise see DATABASE_GIGABYTES",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        sites = tqdm(Site.objects.all(), unit="site", disable=None, leave=False)
        found = size.site_sizes(sites)
        self.stdout.write(_FORMAT.format(*_COLUMNS, "events a day", "bytes a day"))
        for each in sorted(found, key=lambda each: -each.total):
            self.stdout.write(_line(each))
        now = size.disk(sum(each.growth for each in found))
        if options["free"] is not None:
            now = now._replace(free=int(options["free"] * 10**9))
        self.stdout.write(f"\nThe database takes {shown(now.database)}.")
        self.stdout.write(f"It grows by ~{shown(now.growth)} a day.")
        if now.free is None:
            self.stdout.write(
                "What its disk has free is not known: use --free or DATABASE_GIGABYTES."
            )
            return
        self.stdout.write(f"Free: {shown(now.free)}.")
        full = now.full_on(clock.now().date())
        self.stdout.write(f"Full at that rate: {full or 'not in sight'}.")


def _line(each: SiteSize) -> str:
    about = "" if each.number.is_exact else "~"
    domain = str(each.site) + (" (deleted)" if each.site.deleted_at else "")
    return _FORMAT.format(
        each.site.site_key,
        domain,
        f"{about}{each.number.value:,}",
        f"~{shown(each.events)}",
        f"~{shown(each.indexes)}",
        f"~{shown(each.names)}",
        f"~{shown(each.kept)}",
        f"{each.rate:,.0f}",
        f"~{shown(each.growth)}",
    )


def shown(number: float) -> str:
    """Return a number of bytes as text, such as `1.2 GB`."""
    for unit in ("B", "kB", "MB"):
        if number < 1_000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1_000
    return f"{number:.1f} GB"
