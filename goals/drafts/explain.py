"""Why an event is a conversion of a goal, or why it is not."""

from collections.abc import Iterable
from typing import Any

from goals.models import Goal


def explain(goals: Iterable[Goal], event_type: str, name: str) -> list[dict[str, Any]]:
    """For each goal whether it counts such an event, and the reason."""
    answers = []
    for goal in goals:
        matches, reason = goal.rule.explain(event_type, name)
        answers.append(
            {"id": goal.id, "name": goal.name, "matches": matches, "reason": reason}
        )
    return answers
