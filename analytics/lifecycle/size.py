"""The disk space of sites, their growth, and when the disk is full at this rate."""

import shutil
from collections.abc import Iterable
from datetime import date, timedelta
from math import inf
from pathlib import Path
from typing import NamedTuple

from django.apps import apps
from django.conf import settings
from django.db import connection, models

from analytics.events import day_versions, sizes
from analytics.events.sizes import Bytes, Number
from analytics.models import Context, Event, EventName, Fact, OfOneSite, Site
from analytics.questions.periods import Days
from krafter import clock, metrics

# Days: the rate is that of the last full week, with each weekday once.
RATE_DAYS = 7


class SiteSize(NamedTuple):
    """Sizes in bytes, except `rate`, in events a day.

    `indexes` are those of events, `names` the dictionaries with their indexes, `kept`
    all derived tables.
    """

    site: Site
    number: Number
    events: int
    indexes: int
    names: int
    kept: int
    rate: float

    @property
    def total(self) -> int:
        return self.events + self.indexes + self.names + self.kept

    @property
    def growth(self) -> float:
        """Return the growth in bytes a day, at the current size per event."""
        if not self.number.value:
            return 0.0
        return self.rate * (self.total - self.kept) / self.number.value


class Disk(NamedTuple):
    """Bytes, and `growth` in bytes a day. `free` is None if unknown."""

    database: int
    free: int | None
    growth: float

    def full_on(self, today: date) -> date | None:
        """Return the day on which the disk is full; None if unknown, or never."""
        if self.free is None or self.growth <= 0:
            return None
        days = self.free / self.growth
        return today + timedelta(days=int(days)) if days < 365_000 else None


def site_sizes(sites: Iterable[Site]) -> list[SiteSize]:
    """Return the size of each site; bytes are divided in proportion to the rows.

    `sites` must be all sites of the installation.
    """
    sites = list(sites)
    numbers = {
        table: {site.pk: sizes.number(table, site.pk) for site in sites}
        for table in _tables()
    }
    taken = {
        table: sizes.bytes_of(
            [table._meta.db_table], sum(n.value for n in by_site.values())
        )
        for table, by_site in numbers.items()
    }
    rows = {
        table: sum(number.value for number in by_site.values())
        for table, by_site in numbers.items()
    }

    def share(table: type[models.Model], site: Site) -> Bytes:
        part = numbers[table][site.pk].value / (rows[table] or 1)
        return Bytes(*(int(size * part) for size in taken[table]))

    week = _last_week()
    apart = [*_NAMES, *_facts()]
    return [
        SiteSize(
            site=site,
            number=numbers[Event][site.pk],
            events=sum(share(t, site).rows for t in _facts()),
            indexes=sum(share(t, site).indexes for t in _facts()),
            names=sum(sum(share(t, site)) for t in _NAMES),
            kept=sum(sum(share(t, site)) for t in _tables() if t not in apart),
            rate=sizes.number_between(site.pk, week) / RATE_DAYS,
        )
        for site in sites
    ]


_NAMES: tuple[type[models.Model], ...] = (EventName, Context)


def _tables() -> list[type[models.Model]]:
    return [model for model in apps.get_models() if issubclass(model, OfOneSite)]


def _facts() -> list[type[models.Model]]:
    return [model for model in _tables() if issubclass(model, Fact)]


def _last_week() -> Days:
    last = day_versions.last_ended(clock.now())
    return Days(last - timedelta(days=RATE_DAYS - 1), last)


def disk(growth: float) -> Disk:
    """Return the state of the database's disk, for a growth in bytes a day."""
    database = sizes.database_bytes()
    if settings.DATABASE_GIGABYTES:
        free: int | None = max(0, settings.DATABASE_GIGABYTES * 10**9 - database)
    elif connection.vendor == "sqlite":
        file = Path(connection.settings_dict["NAME"])
        # SQLite uses free pages within the file before the file grows.
        inside = max(0, file.stat().st_size - database) if file.exists() else 0
        free = shutil.disk_usage(file.parent).free + inside if file.exists() else None
    else:
        free = None
    return Disk(database, free, growth)


def tell() -> None:
    """Set the metrics of size. Called every hour, see `analytics.housekeeping`."""
    found = site_sizes(Site.objects.all())
    now = disk(sum(size.growth for size in found))
    metrics.DATABASE_BYTES.set(now.database)
    metrics.DATABASE_GROWTH.set(now.growth)
    metrics.EVENTS.set(sum(size.number.value for size in found))
    metrics.DATABASE_FREE.set(-1 if now.free is None else now.free)
    days = inf if now.free is None or now.growth <= 0 else now.free / now.growth
    metrics.DATABASE_FULL_DAYS.set(days)
