"""What is counted of goals, as the API shows it."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from analytics.questions.period_query import DaysAnswer

Revenue = Annotated[Decimal | None, Meta(description="Null without a currency.")]


class Counted(msgspec.Struct):
    conversions: int
    unique_conversions: int
    revenue: Revenue


class GoalCounts(msgspec.Struct):
    id: UUID
    name: str
    currency: str | None
    conversions: int
    unique_conversions: int
    revenue: Revenue


class AllGoalStats(msgspec.Struct):
    period: DaysAnswer
    goals: list[GoalCounts]
