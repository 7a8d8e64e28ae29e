"""What a goal would count before it is created or edited."""

from collections.abc import Collection
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from analytics import events
from analytics.questions.period_query import DaysAnswer
from analytics.questions.periods import Days
from analytics.questions.time_limits import in_time
from goals.counting import stats
from goals.counting.answers import Revenue
from goals.counting.matched_names import matching_names
from goals.counting.rule_months import count
from goals.drafts.advice import HintAnswer, OverlapAnswer, advice, overlaps
from goals.models import Goal

SHOWN_NAMES = 50


class MatchedName(msgspec.Struct):
    name: str
    conversions: int


class MatchedNames(msgspec.Struct):
    """The most frequent matching names, and the number of all matching names."""

    conversions: int
    names: list[MatchedName]
    total_names: int


_OfAnEdit = Annotated[MatchedNames | UnsetType, Meta(description="Only for an edit.")]


class Preview(msgspec.Struct):
    period: DaysAnswer
    conversions: int
    unique_conversions: int
    revenue: Revenue
    names: list[MatchedName]
    total_names: int
    hints: list[HintAnswer]
    overlaps: list[OverlapAnswer]
    wins: _OfAnEdit = UNSET
    loses: _OfAnEdit = UNSET


def preview(
    goal: Goal, days: Days, before: Goal | None = None, *, seconds: float | None = None
) -> Preview:
    """Return what the goal's rule counts on these days, and the names it matches.

    With `before`, also what an edit of that goal would add and remove. It is counted
    from the events, because nothing is stored for a rule without a goal. `seconds` is
    a time limit for this query. Raises Unavailable.
    """
    with in_time(seconds):
        return _preview(goal, days, before)


def matched(goal: Goal, days: Days) -> tuple[list[MatchedName], int]:
    """Return the most frequent names that the goal's rule matches on these days, and
    the number of all names that it matches. Raises Unavailable.
    """
    with in_time():
        names = matching_names(goal.site_id, goal.rule)
        selection = events.Selection(goal.site_id, *days)
        return _most_frequent(selection, names), len(names)


def _preview(goal: Goal, days: Days, before: Goal | None) -> Preview:
    selection = events.Selection(goal.site_id, *days)
    names = matching_names(goal.site_id, goal.rule)
    priced = [goal.rule] if goal.currency else []
    counted = count(selection, {goal.rule: names}, with_amounts=priced)
    found = stats.summed(goal, counted[goal.rule])
    answer = Preview(
        period=DaysAnswer(*days),
        conversions=found.conversions,
        unique_conversions=found.unique_conversions,
        revenue=found.revenue,
        names=_most_frequent(selection, names),
        total_names=len(names),
        hints=advice(goal.rule, selection, names),
        overlaps=overlaps(goal, selection, names),
    )
    if before is not None:
        old = matching_names(before.site_id, before.rule)
        answer.wins = _share(selection, set(names) - set(old))
        answer.loses = _share(selection, set(old) - set(names))
    return answer


def _share(selection: events.Selection, names: Collection[int]) -> MatchedNames:
    by_day = events.daily(selection, names).values()
    conversions = sum(counts.conversions for counts in by_day)
    return MatchedNames(conversions, _most_frequent(selection, names), len(names))


def _most_frequent(
    selection: events.Selection, names: Collection[int]
) -> list[MatchedName]:
    found = events.top_names(selection, names, SHOWN_NAMES)
    return [MatchedName(name, times) for name, times in found]
