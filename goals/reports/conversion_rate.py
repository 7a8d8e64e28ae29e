"""The conversion rate of a goal: the share of visitors who converted."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from analytics import events
from analytics.questions.differences import Confidence, Verdict
from analytics.questions.labels import EVERYTHING, Attribution
from analytics.questions.period_query import DaysAnswer
from analytics.questions.periods import Days
from analytics.questions.time_limits import in_time
from analytics.sources import rules_of
from analytics.traffic import site_stats
from goals.counting import stats
from goals.counting.matched_names import matching_names_of_each
from goals.models import Goal
from goals.reports import rate
from krafter.answers import Moment


class Visitors(msgspec.Struct):
    unique_visitors: int
    meaning: str


class _Rate(msgspec.Struct):
    period: DaysAnswer
    attribution: Attribution
    numerator: Visitors
    denominator: Visitors
    rate: float | None
    interval: Confidence | None
    too_few_to_compare: bool


class ComparedRate(_Rate):
    """The rate of the earlier period. `difference` is the confidence interval of the
    change in the rate, or null.
    """

    until: Moment | None
    difference: Confidence | None
    verdict: Annotated[
        Verdict,
        Meta(
            description="`more` or `fewer` if the whole interval of the difference"
            " lies above or below 0."
        ),
    ]


class RateAnswer(_Rate):
    comparison: Annotated[
        ComparedRate | UnsetType,
        Meta(description="The earlier period. Only with `compare`."),
    ] = UNSET


def compared_rate(
    now: RateAnswer, before: RateAnswer, until: datetime | None
) -> ComparedRate:
    """Return the rate of an earlier period, compared with the current one."""
    apart, verdict = rate.told(_shares(now), _shares(before))
    return ComparedRate(
        before.period,
        before.attribution,
        before.numerator,
        before.denominator,
        before.rate,
        before.interval,
        before.too_few_to_compare,
        until,
        apart,
        verdict,
    )


def _shares(answer: RateAnswer) -> rate.Rate | None:
    return rate.rate(
        answer.numerator.unique_visitors, answer.denominator.unique_visitors
    )


def conversion_rate(
    goal: Goal,
    days: Days,
    filters: events.Filters = EVERYTHING,
    *,
    of: Goal | None = None,
    from_border: bool = False,
) -> RateAnswer:
    """Return the rate among the site's visitors, or among those who met the goal `of`.

    The rate is between 0 and 1, or None without visitors. `from_border`: only the days
    on which the goal has counts, see `stats.counted`.
    """
    border = goal.site.sealed_before
    if from_border and of is None and border is not None and days.first < border:
        days = days._replace(first=stats.since(goal, days, filters))
    selection = events.Selection(
        goal.site_id, *days, filters, sources=rules_of(goal.site)
    )
    counted = goal if of is None else of
    by_rule = stats.counted(goal.site_id, [counted], days, filters)
    uniques = stats.total(by_rule[counted.rule]).uniques
    if of is None:
        converters = uniques
        visitors = site_stats.visitors(selection)
        meanings = ("unique visitors who converted", "unique visitors of the site")
    else:
        with in_time():
            names = matching_names_of_each(goal.site_id, [goal.rule, of.rule])
            converters = sum(
                events.visitors_of_both(part, names[goal.rule], names[of.rule])
                for part in selection.parts()
            )
        visitors = uniques
        meanings = (
            "unique visitors who satisfied both goals on the same day",
            "unique visitors who satisfied the other goal",
        )
    found = rate.rate(converters, visitors)
    return RateAnswer(
        period=DaysAnswer(*days),
        attribution=filters.attribution,
        numerator=Visitors(converters, meanings[0]),
        denominator=Visitors(visitors, meanings[1]),
        rate=found and found.rate,
        interval=found and found.interval,
        too_few_to_compare=rate.is_too_few_to_compare(visitors),
    )
