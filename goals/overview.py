"""The stats of all goals of a site, at the price of a few queries."""

from decimal import Decimal
from typing import Any

from analytics import events
from analytics.models import Site
from analytics.periods import Days
from goals.names import matching_names_of_each
from goals.pricing import pricer


def all_goal_stats(
    site: Site, days: Days, where: tuple[events.Where, ...] = ()
) -> list[dict[str, Any]]:
    """Each goal with its stats, in the order of the list."""
    goals = list(site.goals.live())
    # Goals with one rule are one question.
    names = matching_names_of_each(site.pk, [goal.rule for goal in goals])
    numbers = {rule: number for number, rule in enumerate(names)}
    scope = events.Scope(site.pk, *days, where)
    counts = events.count_each(
        scope, {numbers[rule]: ids for rule, ids in names.items()}
    )
    sums = events.amounts_each(
        scope, {numbers[goal.rule]: names[goal.rule] for goal in goals if goal.currency}
    )
    # One look at the rates for each currency, not for each goal.
    everything = {key: Decimal() for part in sums.values() for key in part}
    revenue = {
        currency: pricer(everything, currency)
        for currency in {goal.currency for goal in goals}
    }
    rows = []
    for goal in goals:
        number = numbers[goal.rule]
        conversions, uniques = counts.get(number, events.Counts(0, 0))
        rows.append(
            {
                "id": goal.id,
                "name": goal.name,
                "currency": goal.currency,
                "conversions": conversions,
                "unique_conversions": uniques,
                "revenue": revenue[goal.currency](sums.get(number, {})),
            }
        )
    return rows
