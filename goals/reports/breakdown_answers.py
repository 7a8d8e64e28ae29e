"""Response structs of a breakdown."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from analytics.questions.differences import Confidence, Verdict
from analytics.questions.labels import Attribution
from analytics.questions.period_query import DaysAnswer, EarlierAnswer
from goals.counting.answers import ComparedCounts, Revenue

# A text. A property may also have a number, a boolean or null.
Value = str | int | float | bool | None


# Fields of events, such as the path, have visitors only on request.
_COUNTED = "Only for labels, or with `include=visitors`."


class ComparedRow(ComparedCounts):
    """The counts of the value in the earlier period. `verdict` compares unique
    conversions.

    If visitors are counted, also `visitors`, `rate` and the comparison of both rates.
    """

    visitors: Annotated[int | UnsetType, Meta(description=_COUNTED)] = UNSET
    rate: Annotated[float | UnsetType | None, Meta(description=_COUNTED)] = UNSET
    rate_difference: Annotated[
        Confidence | UnsetType | None,
        Meta(
            description="Confidence interval of the change from the earlier rate to"
            " the current one."
        ),
    ] = UNSET
    rate_verdict: Annotated[
        Verdict | UnsetType, Meta(description="The result of comparing the two rates.")
    ] = UNSET


class BreakdownRow(msgspec.Struct):
    value: Value
    conversions: int
    unique_conversions: int
    revenue: Revenue
    visitors: Annotated[
        int | UnsetType,
        Meta(description="Number of unique visitors with the value." + _COUNTED),
    ] = UNSET
    rate: Annotated[float | UnsetType | None, Meta(description=_COUNTED)] = UNSET
    interval: Annotated[Confidence | UnsetType | None, Meta(description=_COUNTED)] = (
        UNSET
    )
    too_few_to_compare: Annotated[bool | UnsetType, Meta(description=_COUNTED)] = UNSET
    comparison: Annotated[
        ComparedRow | UnsetType,
        Meta(description="The earlier period. Only with `compare`."),
    ] = UNSET


class Sums(msgspec.Struct):
    conversions: int
    revenue: Revenue


class OtherValues(msgspec.Struct):
    values: int
    conversions: int
    revenue: Revenue
    comparison: Annotated[
        Sums | UnsetType, Meta(description="The earlier period. Only with `compare`.")
    ] = UNSET


class Breakdown(msgspec.Struct):
    period: DaysAnswer
    attribution: Attribution
    dimension: str
    breakdown: list[BreakdownRow]
    total_values: int
    other: Annotated[
        OtherValues | None,
        Meta(
            description="The sum of the values that are not among the rows. Null if"
            " there are none."
        ),
    ]
    next_cursor: Annotated[
        str | None,
        Meta(description="The `cursor` of the next page. Null on the last page."),
    ]
    comparison: Annotated[
        EarlierAnswer | UnsetType,
        Meta(description="The earlier period. Only with `compare`."),
    ] = UNSET
