"""Which part of the visitors converted, and of whom it is a part."""

from typing import Any

from analytics import events
from analytics.periods import Days
from goals import conversion_rate
from goals.models import Goal
from goals.names import matching_names


def converting_share(
    goal: Goal,
    days: Days,
    where: tuple[events.Where, ...] = (),
    *,
    of: Goal | None = None,
) -> dict[str, Any]:
    """Of the site's visitors, or of those who satisfied the goal `of`."""
    scope = events.Scope(goal.site_id, *days, where)
    names = matching_names(goal.site_id, goal.rule)
    if of is None:
        converters = events.count(scope, names).uniques
        visitors = events.visitors(scope)
        meanings = ("unique visitors who converted", "unique visitors of the site")
    else:
        others = matching_names(of.site_id, of.rule)
        converters = events.visitors_of_both(scope, names, others)
        visitors = events.count(scope, others).uniques
        meanings = (
            "unique visitors who satisfied both goals on the same day",
            "unique visitors who satisfied the other goal",
        )
    found = conversion_rate.rate(converters, visitors)
    return {
        "numerator": {"unique_visitors": converters, "meaning": meanings[0]},
        "denominator": {"unique_visitors": visitors, "meaning": meanings[1]},
        "rate": found and found.rate,
        "interval": found
        and {"level": conversion_rate.LEVEL, "low": found.low, "high": found.high},
        "too_few_to_compare": conversion_rate.is_too_few_to_compare(visitors),
    }
