"""The changes of a goal's rule, read from the audit trail."""

import msgspec

from analytics.access import trail
from goals.matching import Rule
from goals.models import Goal
from goals.serializers import GoalRule
from krafter.answers import Moment

# The length of the list, newest first: a goal set applied daily changes many.
MAX_SHOWN = 100


class RuleChange(msgspec.Struct):
    at: Moment
    before: GoalRule
    after: GoalRule


def rule_changes(goal: Goal) -> list[RuleChange]:
    """Return the changes, most recent first, as far back as the audit trail is kept."""
    after = goal.rule
    found = []
    for at, changes in trail.changes_of("goal.changed", goal):
        own = {name: pair[0] for name, pair in changes.items() if name in Rule._fields}
        if not own:
            continue
        before = after._replace(**own)
        found.append(RuleChange(at, GoalRule(*before), GoalRule(*after)))
        after = before
    return found[:MAX_SHOWN]
