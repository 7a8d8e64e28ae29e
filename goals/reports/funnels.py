"""How many visitors reached each step of a funnel, in order.

Visitor ids change at midnight, so a funnel lies within one day, and a person on two
days counts as two visitors.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from heapq import nsmallest
from typing import Annotated, NamedTuple
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from analytics import events
from analytics.events import FunnelRow
from analytics.questions.labels import Attribution
from analytics.questions.period_query import DaysAnswer
from analytics.questions.time_limits import in_time
from goals.counting.matched_names import matching_names
from goals.matching import Rule
from goals.reports.breakdown_answers import Value
from goals.reports.breakdown_values import key_of
from goals.serializers import GoalTypeText, MatchTypeText

# The most values with a row of their own.
MOST_VALUES = 100


class Step(NamedTuple):
    rule: Rule
    goal_id: UUID | None = None


class ReachedStep(msgspec.Struct):
    goal: Annotated[
        UUID | None, Meta(description="The id of the goal. Null if the step is a rule.")
    ]
    type: GoalTypeText
    match_type: MatchTypeText
    match_value: str
    visitors: int
    dropped: int
    share_of_previous: float | None
    share_of_first: float | None
    median_seconds: Annotated[
        int | None,
        Meta(
            description="Median number of seconds since the previous step. Null for"
            " the first step, and if no visitor reached this step."
        ),
    ]


VisitorsOfSteps = Annotated[
    list[int], Meta(description="Number of visitors who reached each step.")
]


class FunnelValue(msgspec.Struct):
    """The visitors whose first step has a value of the dimension."""

    value: Value
    visitors: VisitorsOfSteps
    share_of_first: Annotated[
        float | None,
        Meta(
            description="Visitors of the last step divided by visitors of the first"
            " step."
        ),
    ]


class OtherFunnelValues(msgspec.Struct):
    values: Annotated[
        int, Meta(description="Number of values that are not among the rows.")
    ]
    visitors: VisitorsOfSteps
    share_of_first: Annotated[
        float | None,
        Meta(
            description="Visitors of the last step divided by visitors of the first"
            " step."
        ),
    ]


_OF_DIMENSION = Meta(description="Only with `dimension`.")


class Funnel(msgspec.Struct):
    period: DaysAnswer
    attribution: Attribution
    window_minutes: int | None
    steps: list[ReachedStep]
    dimension: Annotated[str | UnsetType, _OF_DIMENSION] = UNSET
    breakdown: Annotated[
        list[FunnelValue] | UnsetType,
        Meta(
            description="Only with `dimension`: the values at the visitors' first step,"
            f" at most {MOST_VALUES}, those with the most visitors first."
        ),
    ] = UNSET
    total_values: Annotated[int | UnsetType, _OF_DIMENSION] = UNSET
    other: Annotated[
        OtherFunnelValues | UnsetType | None,
        Meta(
            description="Only with `dimension`: the sum of the values that are not"
            " among the rows. Null if there are none."
        ),
    ] = UNSET


class _Sums:
    """Counts rows and adds up their visitors while they stream by."""

    def __init__(self, length: int) -> None:
        self.values = 0
        self.visitors = [0] * length

    def passing(self, rows: Iterable[FunnelRow]) -> Iterator[FunnelRow]:
        for row in rows:
            self.values += 1
            self.visitors = _added(self.visitors, row.visitors)
            yield row


@in_time()
def funnel(
    selection: events.Selection,
    steps: Sequence[Step],
    window_minutes: int | None,
    dimension: str | None = None,
) -> Funnel:
    """Return the visitors of each step, and how many the step before had more.

    `window_minutes` is counted from the event of the first step; None: the whole day.
    """
    names = [matching_names(selection.site_id, step.rule) for step in steps]
    window = timedelta(minutes=window_minutes) if window_minutes else None
    sums = _Sums(len(steps))
    with events.funnel(selection, names, window, dimension=dimension) as found:
        # Only these rows are held, however many values there are.
        shown = nsmallest(MOST_VALUES, sums.passing(found.rows), key=_order)
    answer = Funnel(
        period=DaysAnswer(selection.first, selection.last),
        attribution=selection.filters.attribution,
        window_minutes=window_minutes,
        steps=[
            _reached(step, number, before, sums.visitors[0], median)
            for step, number, before, median in zip(
                steps,
                sums.visitors,
                [sums.visitors[0], *sums.visitors[:-1]],
                found.medians,
                strict=True,
            )
        ],
    )
    if dimension is not None:
        answer.dimension = dimension
        answer.breakdown = [FunnelValue(*row, _through(row.visitors)) for row in shown]
        answer.total_values = sums.values
        answer.other = _other(sums, shown)
    return answer


def _order(row: FunnelRow) -> tuple[int, tuple[int, object]]:
    return -row.visitors[0], key_of(row.value)


def _other(sums: _Sums, shown: Sequence[FunnelRow]) -> OtherFunnelValues | None:
    if sums.values == len(shown):
        return None
    left = sums.visitors
    for row in shown:
        left = _added(left, [-number for number in row.visitors])
    return OtherFunnelValues(sums.values - len(shown), left, _through(left))


def _added(some: Sequence[int], others: Sequence[int]) -> list[int]:
    return [one + other for one, other in zip(some, others, strict=True)]


def _reached(
    step: Step, visitors: int, before: int, first: int, median: int | None
) -> ReachedStep:
    return ReachedStep(
        step.goal_id,
        *step.rule,
        visitors=visitors,
        dropped=before - visitors,
        share_of_previous=_share(visitors, before),
        share_of_first=_share(visitors, first),
        median_seconds=median,
    )


def _through(visitors: Sequence[int]) -> float | None:
    return _share(visitors[-1], visitors[0])


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None
