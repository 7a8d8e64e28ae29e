"""What rules counted on days that are over, kept as GoalDay.

A row holds while its version is that of its day (see
`analytics.events.day_versions`).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from analytics import events
from analytics.events import Counts, Selection
from analytics.questions.periods import Days, each_day
from goals.matching import Rule
from goals.models import GoalDay

Versions = Mapping[date, int]


class DayCount(NamedTuple):
    """`amounts`: exact sums by currency, None for no code, net of refunds."""

    counts: Counts
    amounts: Mapping[str | None, Decimal]


NOTHING = DayCount(Counts(0, 0), {})

# What each of some rules counted on a day.
DayCounts = dict[Rule, DayCount]


def kept(
    site_id: int, rules: Iterable[Rule], days: Days, versions: Versions
) -> defaultdict[date, DayCounts]:
    """What is kept of these days, of the rules that have a row that holds."""
    by_digest = {rule.digest: rule for rule in rules}
    rows = GoalDay.objects.filter(
        site_id=site_id, rule__in=list(by_digest), day__range=days
    )
    found: defaultdict[date, DayCounts] = defaultdict(dict)
    for digest, day, version, conversions, uniques, amounts in rows.values_list(
        "rule", "day", "version", "conversions", "uniques", "amounts"
    ):
        if version == versions.get(day, 0):
            sums = {code or None: Decimal(sum) for code, sum in (amounts or {}).items()}
            rule = by_digest[bytes(digest)]
            found[day][rule] = DayCount(Counts(conversions, uniques), sums)
    return found


def keep(site_id: int, counted: Mapping[date, DayCounts], versions: Versions) -> None:
    GoalDay.objects.bulk_create(
        [
            GoalDay(
                site_id=site_id,
                rule=rule.digest,
                day=day,
                version=versions.get(day, 0),
                conversions=found.counts.conversions,
                uniques=found.counts.uniques,
                amounts={code or "": f"{sum}" for code, sum in found.amounts.items()}
                or None,
            )
            for day, counts in counted.items()
            for rule, found in counts.items()
        ],
        batch_size=1_000,
        update_conflicts=True,
        unique_fields=["site", "rule", "day"],
        update_fields=["version", "conversions", "uniques", "amounts"],
    )


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
