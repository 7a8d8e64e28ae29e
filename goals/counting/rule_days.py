"""What rules counted on days that are over, kept as GoalDay.

Which days are counted when, and until when a count holds, is decided by
`analytics.events.closed_days`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from analytics import events
from analytics.events import Counts, Selection
from analytics.events.closed_days import Versions
from analytics.questions.periods import Days, each_day
from goals.counting.matched_names import matching_names_of_each
from goals.matching import Rule
from goals.models import GoalDay


class DayCount(NamedTuple):
    """`amounts`: exact sums by currency, None for no code, net of refunds."""

    counts: Counts
    amounts: Mapping[str | None, Decimal]


NOTHING = DayCount(Counts(0, 0), {})

# What each of some rules counted on a day.
DayCounts = dict[Rule, DayCount]


class GoalDays:
    """Counts the closed days of some rules of a site, and keeps them."""

    def __init__(self, site_id: int, rules: Iterable[Rule]) -> None:
        self.site_id = site_id
        self._by_digest = {rule.digest: rule for rule in rules}
        self._kept: defaultdict[date, DayCounts] = defaultdict(dict)

    def kept(self, days: Days, versions: Versions) -> dict[date, DayCounts]:
        rows = GoalDay.objects.filter(
            site_id=self.site_id, rule__in=list(self._by_digest), day__range=days
        )
        for rule, day, version, conversions, uniques, amounts in rows.values_list(
            "rule", "day", "version", "conversions", "uniques", "amounts"
        ):
            if version == versions.get(day, 0):
                counted = DayCount(Counts(conversions, uniques), _sums(amounts))
                self._kept[day][self._by_digest[bytes(rule)]] = counted
        return {
            day: counts
            for day, counts in self._kept.items()
            if len(counts) == len(self._by_digest)
        }

    def count(self, days: Days) -> dict[date, DayCounts]:
        """Of the rules that lack one of the days: a new goal asks for itself only."""
        lacking = [
            rule
            for rule in self._by_digest.values()
            if any(rule not in self._kept[day] for day in each_day(days))
        ]
        names = matching_names_of_each(self.site_id, lacking)
        counted = count(Selection(self.site_id, *days), names, with_amounts=lacking)
        return {day: self._kept[day] | counts for day, counts in counted.items()}

    def keep(self, counted: Mapping[date, DayCounts], versions: Versions) -> None:
        GoalDay.objects.bulk_create(
            [
                GoalDay(
                    site_id=self.site_id,
                    rule=rule.digest,
                    day=day,
                    version=versions.get(day, 0),
                    conversions=found.counts.conversions,
                    uniques=found.counts.uniques,
                    amounts={
                        code or "": f"{sum}" for code, sum in found.amounts.items()
                    }
                    or None,
                )
                for day, counts in counted.items()
                for rule, found in counts.items()
                # What is kept of other rules stays as it is.
                if rule not in self._kept[day]
            ],
            batch_size=1_000,
            update_conflicts=True,
            unique_fields=["site", "rule", "day"],
            update_fields=["version", "conversions", "uniques", "amounts"],
        )


def _kept(sums: Mapping[str | None, Decimal]) -> dict[str, str] | None:
    return {code or "": str(total) for code, total in sums.items()} or None


def _sums(kept: Mapping[str, str] | None) -> dict[str | None, Decimal]:
    return {code or None: Decimal(text) for code, text in (kept or {}).items()}


def count(
    selection: Selection,
    names: Mapping[Rule, Collection[int]],
    *,
    with_amounts: Collection[Rule],
) -> dict[date, DayCounts]:
    """Count each day of the selection from its events, those without any too."""
    numbers = {rule: number for number, rule in enumerate(names)}
    counts = events.daily_each(
        selection, {numbers[rule]: ids for rule, ids in names.items()}
    )
    amounts: defaultdict[tuple[int, date], dict[str | None, Decimal]]
    amounts = defaultdict(dict)
    priced = {numbers[rule]: names[rule] for rule in with_amounts}
    sums = events.amounts_each(selection, priced) if priced else {}
    for number, by_day in sums.items():
        for (day, code), total in by_day.items():
            amounts[number, day][code] = total
    return {
        day: {
            rule: DayCount(
                counts.get(number, {}).get(day, NOTHING.counts),
                amounts.get((number, day), NOTHING.amounts),
            )
            for rule, number in numbers.items()
        }
        for day in each_day(Days(selection.first, selection.last))
    }
