"""What a goal would count before it is created or edited."""

from collections.abc import Collection
from typing import Any

from analytics import events
from analytics.questions.periods import Days
from analytics.questions.time_limits import in_time
from goals.counting import stats
from goals.counting.matched_names import matching_names
from goals.counting.rule_days import count
from goals.models import Goal

SHOWN_NAMES = 50


@in_time()
def preview(goal: Goal, days: Days, before: Goal | None = None) -> dict[str, Any]:
    """What the goal's rule counts in those days, and which names it matches.

    With `before`, also what an edit of that goal would win and lose. Counted
    from the events: nothing is kept about a rule that nobody has stored.
    """
    selection = events.Selection(goal.site_id, *days)
    names = matching_names(goal.site_id, goal.rule)
    priced = [goal.rule] if goal.currency else []
    counted = count(selection, {goal.rule: names}, with_amounts=priced)
    answer = {
        "period": {"from": days.first, "to": days.last},
        **stats.summed(goal, stats.of_one(goal, counted)),
        **_names(selection, names),
    }
    if before is not None:
        old = matching_names(before.site_id, before.rule)
        answer["wins"] = _share(selection, set(names) - set(old))
        answer["loses"] = _share(selection, set(old) - set(names))
    return answer


def _share(selection: events.Selection, names: Collection[int]) -> dict[str, Any]:
    by_day = events.daily(selection, names).values()
    conversions = sum(counts.conversions for counts in by_day)
    return {"conversions": conversions, **_names(selection, names)}


def _names(selection: events.Selection, names: Collection[int]) -> dict[str, Any]:
    """The most frequent of the names, and how many there are."""
    return {
        "names": [
            {"name": name, "conversions": times}
            for name, times in events.top_names(selection, names, SHOWN_NAMES)
        ],
        "total_names": len(names),
    }
