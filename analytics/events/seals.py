"""Sealed days: their events are deleted, and their stored counts are final.

A site has one border, the first day of a month; earlier days are sealed. The border is
moved while holding two locks: the site's lock, which keeps out writers of events, and a
second one, which keeps out writers of counts. So counts that were computed before are
stored before the border moves.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import NamedTuple

from django.db import connection, transaction

from analytics.models import Seal
from krafter.errors import Unavailable

_LOCK_CLASS = 0x6B73  # beside that of writers, see `events.writing`


class Sealed(Unavailable):
    """The border moved after the event was checked: check it again."""

    def __init__(self) -> None:
        super().__init__("The event's day has just been sealed; retry")


class Border(NamedTuple):
    """`first`: the day of the site's first event ever; `before` is not sealed."""

    first: date
    before: date


def border(site_id: int) -> Border | None:
    """The border of a site; None if nothing is sealed."""
    found = Seal.objects.filter(site_id=site_id).values_list("first", "before").first()
    return None if found is None else Border(*found)


def reason(before: date) -> str:
    """The reason for refusing an event or a refund of a sealed day."""
    return (
        f"Days before {before} are sealed: their events are gone, their counts final."
    )


def refuse(days: Iterable[tuple[int, date]]) -> None:
    """Raise Sealed if one of those (site, day) is.

    Call it within the locks of the sites, so that the border cannot move.
    """
    oldest: dict[int, date] = {}
    for site_id, day in days:
        oldest[site_id] = min(day, oldest.get(site_id, day))
    for site_id, day in sorted(oldest.items()):
        found = border(site_id)
        if found is not None and day < found.before:
            raise Sealed


@contextmanager
def keeping(site_id: int) -> Iterator[date]:
    """A transaction for writing counts; yields the first day that may be written.

    Earlier months are sealed. Several writers may hold it at once, and the border does
    not move meanwhile.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        # SQLite has one writer at a time anyway.
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT pg_advisory_xact_lock_shared(%s, %s)", [_LOCK_CLASS, site_id]
            )
        # A separate statement, because it must begin after the lock is held.
        found = Seal.objects.filter(site_id=site_id).values_list("before", flat=True)
        yield next(iter(found), date.min)


def lock(site_id: int) -> None:
    """Wait until no writer of counts is active, and keep others out."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK_CLASS, site_id]
            )


def move(site_id: int, *, first: date, before: date) -> None:
    """Move the border, holding both locks. `first`: the day of the first event."""
    was = border(site_id)
    if was is None:
        Seal.objects.create(site_id=site_id, first=first, before=before)
        return
    Seal.objects.filter(site_id=site_id).update(
        first=min(first, was.first), before=before
    )


def remove(site_id: int) -> None:
    """Unseal all days, holding both locks."""
    Seal.objects.filter(site_id=site_id).delete()
