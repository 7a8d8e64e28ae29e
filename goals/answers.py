"""Response structs of goal stats, and the list of deleted goals."""

from datetime import date
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from analytics.models import Site
from analytics.questions.differences import Apart, Judged
from analytics.questions.labels import Attribution
from analytics.questions.period_query import EarlierAnswer
from goals.counting.answers import Counted, Revenue
from goals.models import Goal
from goals.money.detail import GoalMoney
from goals.serializers import GoalTypeText, MatchTypeText
from krafter.answers import Moment

# The length of the list, newest first: a goal set applied daily deletes many.
MAX_DELETED = 1_000


class ComparedStats(EarlierAnswer):
    """The stats of the earlier period. `verdict` compares unique conversions."""

    conversions: int
    unique_conversions: int
    revenue: Revenue
    difference: Apart
    verdict: Judged


class Coverage(msgspec.Struct):
    first: Annotated[date, Meta(description="The first day that is counted.")] = (
        msgspec.field(name="from")
    )
    complete: Annotated[
        bool,
        Meta(
            description="Whether `from` is the first day of the period, so"
            " that all of its days are counted."
        ),
    ]


class GoalStats(Counted):
    money: Annotated[
        GoalMoney | UnsetType | None,
        Meta(description="Composition of the revenue. Only with `detail=money`."),
    ] = UNSET
    attribution: Annotated[
        Attribution | UnsetType,
        Meta(
            description="The attribution that was used. Only with `detail=attribution`."
        ),
    ] = UNSET
    comparison: Annotated[
        ComparedStats | UnsetType,
        Meta(description="The earlier period. Only with `compare`."),
    ] = UNSET
    coverage: Annotated[
        Coverage | UnsetType,
        Meta(description="The days that are counted. Only with `detail=coverage`."),
    ] = UNSET


class Star(msgspec.Struct):
    starred: Annotated[
        bool,
        Meta(
            description="Whether the goal is starred. Overviews show starred"
            " goals first."
        ),
    ]


class DeletedGoal(msgspec.Struct):
    id: UUID
    name: str
    type: GoalTypeText
    match_type: MatchTypeText
    match_value: str
    currency: str | None
    deleted_at: Moment


def deleted_goals(site: Site) -> list[DeletedGoal]:
    """Return the deleted goals of a site, most recently deleted first."""
    goals = Goal.objects.filter(site=site).exclude(deleted_at=None)
    return [
        DeletedGoal(
            goal.pk,
            goal.name,
            *goal.rule,
            goal.currency,
            goal.deleted_at.replace(microsecond=0),
        )
        for goal in goals.order_by("-deleted_at", "pk")[:MAX_DELETED]
        if goal.deleted_at is not None
    ]
