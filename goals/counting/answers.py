"""The counts of goals as the API returns them."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from analytics.questions.differences import Apart, Judged, told
from analytics.questions.labels import Attribution
from analytics.questions.period_query import DaysAnswer, EarlierAnswer

Revenue = Annotated[Decimal | None, Meta(description="Null without a currency.")]


class Counted(msgspec.Struct):
    conversions: int
    unique_conversions: int
    revenue: Revenue


class ComparedCounts(Counted):
    """The counts of the earlier period. The verdict compares unique conversions."""

    difference: Apart
    verdict: Judged


def compared_counts(now: int, before: "Counted | GoalCounts") -> ComparedCounts:
    """The earlier counts, compared with the current unique conversions."""
    return ComparedCounts(
        before.conversions,
        before.unique_conversions,
        before.revenue,
        *told(now, before.unique_conversions),
    )


class GoalCounts(msgspec.Struct):
    id: UUID
    name: str
    currency: str | None
    conversions: int
    unique_conversions: int
    revenue: Revenue
    comparison: Annotated[
        ComparedCounts | UnsetType, Meta(description="With `compare`.")
    ] = UNSET


class AllGoalStats(msgspec.Struct):
    period: DaysAnswer
    attribution: Attribution
    goals: list[GoalCounts]
    comparison: Annotated[
        EarlierAnswer | UnsetType, Meta(description="With `compare`.")
    ] = UNSET
