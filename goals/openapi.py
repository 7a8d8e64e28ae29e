"""What the OpenAPI document says of goals, their stats, and lists of them."""

from analytics.access.openapi import IDEMPOTENCY_KEY
from goals.answers import GoalStats
from goals.filters import GoalFilter
from goals.reports.questions import StatsQuestionSerializer
from goals.sets.apply import ApplyQuerySerializer, PlanAnswer
from krafter.openapi.operations import IF_MATCH, Operation

# The owner's own.
_PURCHASE = {
    "id": "550e8400-e29b-41d4-a716-446655440000",
    "name": "Purchase",
    "type": "custom",
    "match_type": "exact",
    "match_value": "purchase",
    "currency": "USD",
}

GOALS = {
    "list": Operation(filters=GoalFilter, answered=_PURCHASE),
    "apply": Operation(
        summary="Make a site's goals those of a list",
        description="Names tell goals apart. **Goals that are not in the list are"
        " deleted**, unless `delete_missing` is false; their events stay. With"
        " `dry_run=true` nothing is done, and the answer is what would be.",
        query=ApplyQuerySerializer,
        answer=PlanAnswer,
    ),
    "create": Operation(
        parameters=(IDEMPOTENCY_KEY,),
        sent={name: value for name, value in _PURCHASE.items() if name != "id"},
        answered=_PURCHASE,
        headers=("ETag", "Location"),
    ),
    "partial_update": Operation(
        parameters=(IF_MATCH,),
        sent={"name": "Completed Purchase", "currency": "EUR"},
        answered=_PURCHASE | {"name": "Completed Purchase", "currency": "EUR"},
        headers=("ETag",),
        errors=(412,),
    ),
    "destroy": Operation(parameters=(IF_MATCH,), errors=(412,)),
    "stats": Operation(
        summary="How many conversions a goal had",
        query=StatsQuestionSerializer,
        answer=GoalStats,
        answered={"conversions": 342, "unique_conversions": 298, "revenue": 16758.0},
    ),
}
