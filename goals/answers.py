"""What the stats of a goal answer."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from analytics.questions.period_query import DaysAnswer
from goals.counting.answers import Counted, Revenue
from goals.money.detail import GoalMoney


class ComparedStats(msgspec.Struct):
    period: DaysAnswer
    conversions: int
    unique_conversions: int
    revenue: Revenue


class GoalStats(Counted):
    money: Annotated[
        GoalMoney | UnsetType | None, Meta(description="With `detail=money`.")
    ] = UNSET
    comparison: Annotated[
        ComparedStats | UnsetType, Meta(description="With `compare`.")
    ] = UNSET
