"""Limits of the new names and labels that a day may add to a site.

Beyond the limit a new one is stored as `(other)`; known ones are always accepted.
Called within the locks of the sites, so that the counts hold over all processes. Not
called for a batch without new names or labels.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from datetime import date
from functools import partial
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Sum

from analytics.models import EventType, Growth
from analytics.questions.labels import Labels
from analytics.questions.periods import Days
from krafter import metrics

OTHER = "(other)"

# Paths are counted separately from names of events and goals, so that an attack with
# paths does not affect the others. Labels are limited by their combinations.
PATHS = "paths"
NAMES = "names"
LABELS = "labels"
KINDS = (PATHS, NAMES, LABELS)

# `_BOUNDED` labels have a few hundred values in total. The other labels come from URLs
# or user agents, which may contain anything. There are a few dozen click ids.
_BOUNDED = ("country", "device")
_NO_TEXTS = ("browser", "os", "click_id")

logger = logging.getLogger(__name__)


class Key(NamedTuple):
    site_id: int
    day: date
    kind: str


class Budget:
    """The remaining limits of a batch; `save()` stores the number of its additions."""

    def __init__(self) -> None:
        self._made: dict[Key, int] = {}
        self._added: Counter[Key] = Counter()
        self._folded: Counter[Key] = Counter()

    def take(self, key: Key, *, times: int = 1) -> bool:
        """Whether one more may be added: fewer than `times` the limit exist."""
        limit = _limits()[key.kind]
        if limit and self._count(key) >= times * limit:
            return False
        self._added[key] += 1
        return True

    def fold(self, key: Key) -> None:
        """Count an event with a name or label stored as `(other)`."""
        self._folded[key] += 1

    def _count(self, key: Key) -> int:
        if key not in self._made:
            found = Growth.objects.filter(**key._asdict()).values_list("made")
            self._made[key] = next((made for (made,) in found), 0)
        return self._made[key] + self._added[key]

    def save(self) -> None:
        # Sorted, so that two batches cannot deadlock.
        for key in sorted({*self._added, *self._folded}):
            folded = self._folded[key]
            with connection.cursor() as cursor:
                cursor.execute(_RAISE, [*key, self._added[key], folded])
                [all_folded] = cursor.fetchone()
            if folded:
                is_first = all_folded == folded
                transaction.on_commit(partial(_tell, key, folded, is_first))


def folded(site_id: int, days: Days) -> dict[str, int]:
    """The number of events of those days with `(other)`, by kind."""
    found = Growth.objects.filter(site_id=site_id, day__range=days)
    counts = dict(found.values_list("kind").annotate(Sum("folded")).order_by())
    return {kind: counts.get(kind, 0) for kind in KINDS}


def kind_of(type: str) -> str:
    return PATHS if type == EventType.PAGEVIEW else NAMES


def fold_texts(labels: Labels) -> Labels:
    """The labels with `(other)` for texts from URLs; empty labels stay empty."""
    return _folded(labels, set(Labels._fields).difference(_BOUNDED, _NO_TEXTS))


def fold_all(labels: Labels) -> Labels:
    """The labels reduced to one of a few thousand possible combinations."""
    return _folded(labels, set(Labels._fields).difference(_BOUNDED))


def _folded(labels: Labels, fields: Iterable[str]) -> Labels:
    return labels._replace(
        **{field: OTHER for field in fields if getattr(labels, field)}
    )


def _limits() -> dict[str, int]:
    return {
        PATHS: settings.MAX_NEW_PATHS,
        NAMES: settings.MAX_NEW_NAMES,
        LABELS: settings.MAX_NEW_LABELS,
    }


def _tell(key: Key, folded: int, is_first: bool) -> None:
    metrics.FOLDED.labels(key.kind).inc(folded)
    if is_first:
        logger.warning(
            "Site %d has more than %d new %s on %s: more are stored as %s",
            key.site_id,
            _limits()[key.kind],
            key.kind,
            key.day,
            OTHER,
        )


_RAISE = (
    f"INSERT INTO {Growth._meta.db_table} AS kept (site_id, day, kind, made, folded)"  # noqa: S608 - a constant
    " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (site_id, day, kind) DO UPDATE SET"
    " made = kept.made + excluded.made, folded = kept.folded + excluded.folded"
    " RETURNING folded"
)
