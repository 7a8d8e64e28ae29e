"""Delete facts, in small transactions, so that other writers do not wait long.

Only this module deletes facts. It checks no permissions.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from datetime import date
from typing import Any

from django.db import connection, models, transaction

from analytics.events import copies, day_versions, seals
from analytics.events.lookups import found_by, one_of
from analytics.models import Adjustment, Event, Fact, Site

# Rows of one transaction: some 20 ms, for which SQLite's other writers wait.
BATCH = 1_000
FACTS: tuple[type[Fact], ...] = (Event, Adjustment)


def days_before(site_id: int, before: date) -> Iterator[tuple[type[Fact], date]]:
    """The earlier days with events, and those with refunds."""
    for facts in FACTS:
        for day in copies.days(facts, site_id):
            if day >= before:
                break
            yield facts, day


def delete_day(
    facts: type[Fact],
    site_id: int,
    day: date,
    *,
    progress: Callable[[int], object] = lambda rows: None,
) -> int:
    """Delete the facts of a day; return their number.

    After each part it pauses for as long as the part took, for other writers.
    """
    table = facts._meta.db_table
    some = f"SELECT id FROM {table} WHERE site_id = %s AND day = %s LIMIT %s"  # noqa: S608 - constants
    sql = (
        f"DELETE FROM {table} WHERE site_id = %s AND day = %s"  # noqa: S608 - constants
        f" AND {found_by('id', some)}"
    )
    deleted = 0
    while True:
        began = time.monotonic()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, [site_id, day, site_id, day, BATCH])
            number = int(cursor.rowcount)
        progress(number)
        deleted += number
        if not number:
            return deleted
        time.sleep(time.monotonic() - began)


def delete(facts: type[Fact], site_id: int, day: date, ids: Collection[int]) -> None:
    """Delete these facts of a day, within the site's lock."""
    table = facts._meta.db_table
    some, param = one_of("id", ids)
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {table} WHERE site_id = %s AND day = %s AND {some}",  # noqa: S608 - constants
            [site_id, day, param],
        )


def delete_rows(table: type[models.Model], site_id: int) -> None:
    """Delete the rows of a site in a table other than those of facts."""
    name = table._meta.db_table
    some = f"SELECT id FROM {name} WHERE site_id = %s LIMIT %s"  # noqa: S608 - constants
    sql = f"DELETE FROM {name} WHERE site_id = %s AND {found_by('id', some)}"  # noqa: S608 - constants
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, [site_id, site_id, BATCH])
            if not cursor.rowcount:
                return


class Chosen:
    """Facts of a site that are to be erased, within its lock."""

    def __init__(self, site_id: int) -> None:
        self._site_id = site_id
        self._ids: dict[type[Fact], dict[date, list[int]]] = {
            facts: defaultdict(list) for facts in FACTS
        }
        # The ids with which the events were sent, if any.
        self.event_ids: list[str] = []

    def with_ids(self, event_ids: Collection[str]) -> None:
        self._choose(Event, event_id__in=event_ids)

    def of_visitor(self, day: date, visitor: int) -> None:
        self._choose(Event, day=day, visitor=visitor)

    def refunds_of(self, event_ids: Collection[str]) -> None:
        self._choose(Adjustment, refund_of__in=event_ids)

    def _choose(self, facts: type[Fact], **which: Any) -> None:
        found = facts._default_manager.filter(site_id=self._site_id, **which)
        rows = found.order_by().values_list("day", "pk", "event_id")
        for day, pk, event_id in rows:
            self._ids[facts][day].append(pk)
            if facts is Event and event_id is not None:
                self.event_ids.append(event_id)

    def erase(self) -> tuple[int, int]:
        """Delete them and raise the versions of their days; return (events, refunds).

        Sealed days keep their versions, because their stored counts cannot be computed
        again. Also raises the site's count of erasures, which running exports check.
        """
        days = set()
        for facts, by_day in self._ids.items():
            for day, ids in by_day.items():
                delete(facts, self._site_id, day, ids)
                days.add(day)
        border = seals.border(self._site_id)
        before = date.min if border is None else border.before
        day_versions.change((self._site_id, day) for day in days if day >= before)
        if days:
            own = Site.objects.filter(pk=self._site_id)
            own.update(erasures=models.F("erasures") + 1)
        events, refunds = (sum(map(len, self._ids[facts].values())) for facts in FACTS)
        return events, refunds


def number_before(site_id: int, before: date) -> int:
    """The number of earlier events and refunds."""
    return sum(
        facts._default_manager.filter(site_id=site_id, day__lt=before).count()
        for facts in FACTS
    )
