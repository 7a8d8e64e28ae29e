"""How many visitors went through steps in order, and where they dropped off.

Visitors change their ids at midnight, so that a funnel is gone through within
one day, and one person on two days counts as two.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta

from analytics import events
from analytics.questions.period_query import DaysAnswer
from analytics.questions.time_limits import in_time
from goals.counting.matched_names import matching_names
from goals.matching import Rule
from goals.serializers import GoalTypeText, MatchTypeText


class Step(NamedTuple):
    rule: Rule
    goal_id: UUID | None = None


class ReachedStep(msgspec.Struct):
    goal: Annotated[UUID | None, Meta(description="Null for a rule.")]
    type: GoalTypeText
    match_type: MatchTypeText
    match_value: str
    visitors: int
    dropped: int
    share_of_previous: float | None
    share_of_first: float | None


class Funnel(msgspec.Struct):
    period: DaysAnswer
    window_minutes: int | None
    steps: list[ReachedStep]


@in_time()
def funnel(
    selection: events.Selection, steps: Sequence[Step], window_minutes: int | None
) -> Funnel:
    """For each step its visitors, and how many of those before it were lost.

    A visitor has `window_minutes` from an event of the first step, or the day.
    """
    names = [matching_names(selection.site_id, step.rule) for step in steps]
    window = timedelta(minutes=window_minutes) if window_minutes else None
    visitors = events.funnel_visitors(selection, names, window)
    return Funnel(
        period=DaysAnswer(selection.first, selection.last),
        window_minutes=window_minutes,
        steps=[
            _shown(step, number, before, visitors[0])
            for step, number, before in zip(
                steps, visitors, [visitors[0], *visitors], strict=False
            )
        ],
    )


def _shown(step: Step, visitors: int, before: int, first: int) -> ReachedStep:
    return ReachedStep(
        step.goal_id,
        *step.rule,
        visitors=visitors,
        dropped=before - visitors,
        share_of_previous=_share(visitors, before),
        share_of_first=_share(visitors, first),
    )


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None
