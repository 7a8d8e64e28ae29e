"""Stored counts by label and of names, compared with a recount of the events."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import date
from itertools import product
from typing import NamedTuple

from analytics import events
from analytics.events import Filters, Selection, day_versions, label_months, months
from analytics.events.cells import DayParts
from analytics.events.months import Versions
from analytics.models import LabelMonth, NameMonth, Site
from analytics.questions.labels import ATTRIBUTIONS
from analytics.questions.periods import Days
from analytics.sources import rules_of
from goals.counting.matched_names import matching_names_of_each
from goals.matching import Rule

_EMPTY = DayParts({}, {})


class Verified(NamedTuple):
    """How many stored counts of a day were compared, and which differ."""

    day: date
    number: int
    differing: list[str]


def verified_labels(
    site: Site, rules: Collection[Rule], month: date
) -> Iterator[Verified]:
    """Compare the counts by label stored under the current settings, by day."""
    days = Days(month, months.last_of(month))
    by_digest = {rule.digest: rule for rule in rules}
    sources = rules_of(site)
    rows: defaultdict[tuple[bytes, str], list[LabelMonth]] = defaultdict(list)
    kept = LabelMonth.objects.filter(
        site_id=site.pk, month=month, settings=sources.digest
    )
    for row in kept.exclude(label__startswith=label_months.REFUNDS):
        rows[bytes(row.rule), row.attribution].append(row)
    for digest, attribution in product({each for each, _ in rows}, ATTRIBUTIONS):
        if (digest, attribution) not in rows:
            continue
        own = rows[digest, attribution]
        names = None
        if digest != label_months.EVERYTHING:
            if digest not in by_digest:
                continue
            rule = by_digest[digest]
            names = matching_names_of_each(site.pk, [rule])[rule]
        selection = Selection(
            site.pk, *days, Filters(attribution=attribution), names, sources
        )
        title = "by label" if names is None else _title(by_digest[digest])
        yield from _of_rows(selection, own, title)


def _of_rows(
    selection: Selection, rows: Collection[LabelMonth], title: str
) -> Iterator[Verified]:
    before = day_versions.of_days(selection.site_id, selection.days)
    counted = events.daily_by_label(selection, [row.label for row in rows])
    after = day_versions.of_days(selection.site_id, selection.days)
    for row in rows:
        text = f"{title} {row.label} ({row.attribution})"
        for day, parts in label_months.days_of(row, Versions(before)).items():
            # A day that changed meanwhile is counted again by the next query.
            if before.get(day, 0) == after.get(day, 0):
                is_right = parts == counted[row.label].get(day, _EMPTY)
                yield Verified(day, 1, [] if is_right else [f"{text}: differs"])
        if not label_months.has_right_sum(row):
            message = "the sums of the month are not those of its days"
            yield Verified(row.month, 1, [f"{text}: {message}"])


def _title(rule: Rule) -> str:
    return f"{rule.type} {rule.match_type} {rule.match_value!r}"


def verified_names(site_id: int, month: date) -> Iterator[Verified]:
    """Compare the stored counts of names, by day."""
    row = NameMonth.objects.filter(site_id=site_id, month=month).first()
    if row is None:
        return
    days = Days(month, months.last_of(month))
    before = day_versions.of_days(site_id, days)
    counted, _ = months.unpack(
        month, row.version, row.counted, bytes(row.days), Versions(before)
    )
    wrong = events.wrong_name_days(site_id, days)
    after = day_versions.of_days(site_id, days)
    for number in months.numbers(counted):
        day = month.replace(day=number)
        if before.get(day, 0) == after.get(day, 0):
            text = f"names: {wrong.get(day, 0)} differ"
            yield Verified(day, 1, [text] if day in wrong else [])
