"""Which part of the visitors converted, and of whom it is a part."""

import msgspec

from analytics import events
from analytics.questions.period_query import DaysAnswer
from analytics.questions.periods import Days
from analytics.questions.time_limits import in_time
from analytics.traffic import site_stats
from goals.counting import stats
from goals.counting.matched_names import matching_names_of_each
from goals.models import Goal
from goals.reports import rate


class Visitors(msgspec.Struct):
    unique_visitors: int
    meaning: str


class Confidence(msgspec.Struct):
    level: float
    low: float
    high: float


class RateAnswer(msgspec.Struct):
    period: DaysAnswer
    numerator: Visitors
    denominator: Visitors
    rate: float | None
    interval: Confidence | None
    too_few_to_compare: bool


def conversion_rate(
    goal: Goal,
    days: Days,
    where: stats.Where = (),
    *,
    of: Goal | None = None,
) -> RateAnswer:
    """Of the site's visitors, or of those who satisfied the goal `of`."""
    selection = events.Selection(goal.site_id, *days, where)
    counted = goal if of is None else of
    by_rule = stats.counted(goal.site_id, [counted], days, where)
    uniques = stats.total(by_rule[counted.rule]).uniques
    if of is None:
        converters = uniques
        visitors = site_stats.visitors(selection)
        meanings = ("unique visitors who converted", "unique visitors of the site")
    else:
        with in_time():
            names = matching_names_of_each(goal.site_id, [goal.rule, of.rule])
            converters = events.visitors_of_both(
                selection, names[goal.rule], names[of.rule]
            )
        visitors = uniques
        meanings = (
            "unique visitors who satisfied both goals on the same day",
            "unique visitors who satisfied the other goal",
        )
    found = rate.rate(converters, visitors)
    return RateAnswer(
        period=DaysAnswer(*days),
        numerator=Visitors(converters, meanings[0]),
        denominator=Visitors(visitors, meanings[1]),
        rate=found and found.rate,
        interval=found and Confidence(rate.LEVEL, found.low, found.high),
        too_few_to_compare=rate.is_too_few_to_compare(visitors),
    )
