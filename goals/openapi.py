"""The descriptions of the operations on goals in the OpenAPI document."""

from typing import Any

from analytics.access.openapi import IDEMPOTENCY_KEY
from analytics.currencies import CODE
from goals.answers import DeletedGoal, GoalStats, Star
from goals.filters import GoalFilter
from goals.models import currency_choices
from goals.reports.questions import StatsQuestionSerializer
from goals.rule_changes import RuleChange
from goals.sets.apply import ApplyQuerySerializer, ConfirmQuerySerializer, PlanAnswer
from krafter.openapi.operations import IF_MATCH, Operation, Schema

# The owner's own.
_PURCHASE = {
    "id": "550e8400-e29b-41d4-a716-446655440000",
    "name": "Purchase",
    "type": "custom",
    "match_type": "exact",
    "match_value": "purchase",
    "currency": "USD",
}
_RULE = {name: _PURCHASE[name] for name in ("type", "match_type", "match_value")}

GOALS = {
    "list": Operation(filters=GoalFilter, answered=_PURCHASE),
    "apply": Operation(
        summary="Replace a site's goals with a list",
        description="Goals are identified by their names. **Goals that are not in the"
        " list are deleted**, unless `delete_missing` is false. Their events are"
        " kept. With `dry_run=true` nothing is changed, and the response shows what"
        " would change.",
        query=ApplyQuerySerializer,
        answer=PlanAnswer,
        errors=(409,),
    ),
    "create": Operation(
        parameters=(IDEMPOTENCY_KEY,),
        sent={name: value for name, value in _PURCHASE.items() if name != "id"},
        answered=_PURCHASE,
        headers=("ETag", "Location"),
    ),
    "partial_update": Operation(
        query=ConfirmQuerySerializer,
        parameters=(IF_MATCH,),
        sent={"name": "Completed Purchase", "currency": "EUR"},
        answered=_PURCHASE | {"name": "Completed Purchase", "currency": "EUR"},
        headers=("ETag",),
        errors=(409, 412),
    ),
    "destroy": Operation(parameters=(IF_MATCH,), errors=(412,)),
    "changes_of_rule": Operation(
        id="goals_changes",
        summary="List changes of a goal's rule",
        description="The most recent changes first, at most 100, as far back as the"
        " audit trail is kept. Reports always count the whole history under the"
        " current rule.",
        answer=list[RuleChange],
        answered=[
            {
                "at": "2026-03-01T09:30:00Z",
                "before": _RULE | {"match_value": "buy"},
                "after": _RULE,
            }
        ],
        errors=(422,),
    ),
    "star": Operation(
        body=None,
        summary="Star a goal",
        description="Overviews show starred goals first, to everyone who can see the"
        " site. `GET /sites/:key/goals?starred=true` lists them.",
        answer=Star,
        answered={"starred": True},
        errors=(422,),
    ),
    "unstar": Operation(
        body=None,
        summary="Unstar a goal",
        answer=Star,
        answered={"starred": False},
        errors=(422,),
    ),
    "stats": Operation(
        summary="Get a goal's stats",
        query=StatsQuestionSerializer,
        answer=GoalStats,
        answered={"conversions": 342, "unique_conversions": 298, "revenue": 16758.0},
    ),
}

DELETED_GOALS = {
    "list": Operation(
        id="deleted_goals_list",
        summary="List deleted goals",
        description="The most recently deleted goals first, at most 1,000.",
        errors=(422,),
        answer=list[DeletedGoal],
    ),
    "restore": Operation(
        id="deleted_goals_restore",
        body=None,
        summary="Restore a deleted goal",
        description="The restored goal has its whole history, because deleting a goal"
        " does not delete events.",
        headers=("ETag",),
        errors=(422,),
    ),
}


def open_currencies(result: Schema, **_: object) -> Schema:
    """drf-spectacular's hook: describe a currency as a string, not as an enum of
    today's list.
    """
    _open(result, {code for code, _ in currency_choices()})
    return result


def _open(node: Any, codes: set[str]) -> None:
    match node:
        case {"enum": [*values]} if codes <= {str(value) for value in values}:
            del node["enum"]
            node |= {"pattern": CODE, "description": "An ISO 4217 code, such as USD."}
    for inner in node.values() if isinstance(node, dict) else node:
        if isinstance(inner, dict | list):
            _open(inner, codes)
