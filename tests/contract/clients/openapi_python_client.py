"""The API by the client that openapi-python-client makes."""

import json
import os
from typing import Any

from krafter_attrs import AuthenticatedClient
from krafter_attrs.api.events import events_create
from krafter_attrs.api.goals import (
    goals_create,
    goals_delete,
    goals_list,
    goals_stats,
    goals_update,
)
from krafter_attrs.models import (
    DeletionAnswer,
    ErrorBody,
    EventBatch,
    EventOutcomeListAnswer,
    EventOutcomeStatus,
    EventType,
    GoalAnswer,
    GoalListAnswer,
    GoalRequest,
    GoalsStatsPeriod,
    GoalStatsAnswer,
    GoalType,
    MatchType,
    PatchedGoalRequest,
    RateLimitError,
    ServerEvent,
    ValidationError,
)

SITE = os.environ["CONTRACT_SITE"]
NOWHERE = "550e8400-e29b-41d4-a716-446655440000"


def client(secret: str) -> Any:
    return AuthenticatedClient(os.environ["CONTRACT_URL"], token=secret)


def answered(response: Any, status: int, kind: type) -> Any:
    assert (response.status_code, type(response.parsed)) == (status, kind), response
    return response.parsed


def event(id: str, amount: float) -> Any:
    return ServerEvent(
        EventType.GOAL,
        name="purchase",
        visitor_id="customer-1",
        id=id,
        revenue=amount,
        currency="USD",
    )


def main() -> None:
    owner = client(os.environ["CONTRACT_KEY"])
    reader = client(os.environ["CONTRACT_READ_KEY"])
    body = GoalRequest("Purchase", GoalType.CUSTOM, MatchType.EXACT, "purchase", "USD")

    made = goals_create.sync_detailed(SITE, client=owner, body=body)
    goal = answered(made, 201, GoalAnswer).data
    listed = goals_list.sync_detailed(SITE, client=owner)
    assert goal in answered(listed, 200, GoalListAnswer).data
    one = event("order-1", 1234567.89)
    sent = events_create.sync_detailed(SITE, client=owner, body=one)
    (outcome,) = answered(sent, 200, EventOutcomeListAnswer).data
    assert outcome.status == EventOutcomeStatus.ACCEPTED
    batch = EventBatch([event("order-2", 0.1), event("order-3", 0.2)])
    sent = events_create.sync_detailed(SITE, client=owner, body=batch)
    assert len(answered(sent, 200, EventOutcomeListAnswer).data) == 2
    week = GoalsStatsPeriod.LAST_7_DAYS
    counted = goals_stats.sync_detailed(SITE, goal.id, client=owner, period=week)
    stats = answered(counted, 200, GoalStatsAnswer).data
    assert (stats.conversions, stats.unique_conversions) == (3, 1)
    assert stats.revenue == 1234568.19
    changes = PatchedGoalRequest(name="Order", currency=None)
    changed = goals_update.sync_detailed(SITE, goal.id, client=owner, body=changes)
    assert answered(changed, 200, GoalAnswer).data.name == "Order"
    deleted = goals_delete.sync_detailed(SITE, goal.id, client=owner)
    assert answered(deleted, 200, DeletionAnswer).data.deleted

    refused = goals_list.sync_detailed(SITE, client=client("kr_live_no"))
    answered(refused, 401, ErrorBody)
    refused = goals_create.sync_detailed(SITE, client=reader, body=body)
    assert answered(refused, 403, ErrorBody).error == "Insufficient scope"
    refused = goals_stats.sync_detailed(SITE, NOWHERE, client=owner)
    answered(refused, 404, ErrorBody)
    body.match_type, body.match_value = MatchType.REGEX, "("
    refused = goals_create.sync_detailed(SITE, client=owner, body=body)
    assert answered(refused, 422, ValidationError).details["match_value"]
    while refused.status_code != 429:
        refused = goals_list.sync_detailed(SITE, client=owner)
    assert answered(refused, 429, RateLimitError).retry_after > 0
    errors = [401, 403, 404, 422, 429]
    print(json.dumps({"operations": 7, "errors": errors, "money": stats.revenue}))


main()
