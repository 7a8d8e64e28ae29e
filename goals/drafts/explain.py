"""Why an event is a conversion of a goal, or why it is not."""

from collections.abc import Iterable
from uuid import UUID

import msgspec

from goals.models import Goal


class Identified(msgspec.Struct):
    type: str
    name: str


class Reason(msgspec.Struct):
    id: UUID
    name: str
    matches: bool
    reason: str


class Explanation(msgspec.Struct):
    event: Identified
    goals: list[Reason]


def explain(goals: Iterable[Goal], event_type: str, name: str) -> Explanation:
    """Return for each goal whether it counts the event, and the reason."""
    return Explanation(
        Identified(event_type, name),
        [
            Reason(goal.id, goal.name, *goal.rule.explain(event_type, name))
            for goal in goals
        ],
    )
