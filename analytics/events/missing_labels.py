"""Compute missing counts of closed days by label, for many rules together.

Each pass over the events computes all missing counts of some days. Counts are stored
every few seconds, so that a crash loses little, and a month is not rewritten for each
of its days.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from typing import NamedTuple

from analytics.events import closed_days, label_months, months, seals
from analytics.events.contexts import Contexts
from analytics.events.label_months import Kept, LabelMonths, Unkept
from analytics.events.many_labels import Question, Wanted, daily_of_each
from analytics.events.standing import standing
from analytics.models import Site
from analytics.questions.labels import Attribution
from analytics.questions.periods import Days
from analytics.sources import rules_of
from krafter import faults, metrics

# Counts are stored after this many seconds.
_STORED_SECONDS = 5.0


class Asked(NamedTuple):
    """Counts of the events that a rule matches, by its digest, under an attribution."""

    rule: bytes
    attribution: Attribution
    labels: tuple[str, ...]


# The ids of the names that rules match, by digest; None for all names.
NamesOf = Callable[[Collection[bytes]], Mapping[bytes, Collection[int] | None]]


def stored(site: Site, days: Days, asked: Asked) -> LabelMonths | None:
    """The stored counts of closed days after the last sealed day without them.

    None if no day is left.
    """
    closed = closed_days.parted(days).closed
    if closed is None:
        return None
    kept = Kept(site.pk, asked.rule, asked.attribution, rules_of(site).digest)
    found = LabelMonths(kept, asked.labels, closed, daily=False, home=None)
    try:
        found.read(standing(site.pk, closed=closed, kept=found.statement()))
    except Unkept as unkept:
        since = closed._replace(first=unkept.since)
        return stored(site, since, asked) if since.first <= since.last else None
    return found


def count(
    site: Site,
    days: Days,
    asked: Iterable[Asked],
    *,
    names_of: NamesOf,
    progress: Callable[[int], object] = lambda counted: None,
) -> None:
    """Compute and store the missing counts of these closed days, newest first."""
    missing = _missing(site, days, asked)
    part = None
    for stretch in closed_days.stretches(
        set().union(*missing.values()), progress=progress
    ):
        wide = months.whole_months(stretch)
        if part is None or not part.days.first <= stretch.first:
            if part:
                part.store()
            lacking = [
                each
                for each, of_it in missing.items()
                if any(wide.first <= day <= wide.last for day in of_it)
            ]
            own = Days(max(wide.first, days.first), min(wide.last, days.last))
            part = _Part(site, own, lacking, names_of)
        part.count(stretch)
    if part:
        part.store()


def _missing(site: Site, days: Days, asked: Iterable[Asked]) -> dict[Asked, list[date]]:
    found = {}
    for each in asked:
        if kept := stored(site, days, each):
            found[each] = kept.missing
            metrics.count_days(days.length, len(kept.missing))
    return found


class _Part:
    """The requested days of whole months that lack counts."""

    def __init__(
        self, site: Site, days: Days, asked: Iterable[Asked], names_of: NamesOf
    ) -> None:
        self.days = days
        self._site = site
        self._stored = {
            each: found for each in asked if (found := stored(site, days, each))
        }
        # Read after the versions: an event with a name that is missing here has raised
        # the version of its day.
        self._names = names_of({each.rule for each in self._stored})
        self._contexts = Contexts(site.pk, rules_of(site))
        self._since = time.monotonic()

    def count(self, stretch: Days) -> None:
        lacking: defaultdict[bytes, list[Wanted]] = defaultdict(list)
        for (rule, attribution, _), found in self._stored.items():
            labels = found.lacking(stretch)
            lacking[rule] += [(attribution, label) for label in labels]
        wanted = {rule: of_rule for rule, of_rule in lacking.items() if of_rule}
        if not wanted:
            # Another process has counted these days, or sealed them.
            return
        questions = [Question(self._names[rule], of) for rule, of in wanted.items()]
        counted = daily_of_each(self._contexts, stretch, questions)
        of_rules = dict(zip(wanted, counted, strict=True))
        for (rule, attribution, _), found in self._stored.items():
            own = of_rules.get(rule, {}).items()
            found.add(
                stretch, {label: by for (of, label), by in own if of == attribution}
            )
        if time.monotonic() - self._since > _STORED_SECONDS:
            self.store()

    def store(self) -> None:
        rows = [row for found in self._stored.values() for row in found.changed()]
        with faults.unwritten(), seals.keeping(self._site.pk) as sealed:
            label_months.keep(rows, sealed_before=sealed)
        self._since = time.monotonic()
