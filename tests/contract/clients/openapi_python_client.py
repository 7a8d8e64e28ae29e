"""The API by the client that openapi-python-client makes."""

import os
from typing import Any

from krafter_attrs import AuthenticatedClient
from krafter_attrs.api.goals import (
    goals_create,
    goals_delete,
    goals_list,
    goals_stats,
    goals_update,
)
from krafter_attrs.models import (
    ApiError,
    Currency,
    DeletionAnswer,
    GoalAnswer,
    GoalListAnswer,
    GoalRequest,
    GoalStatsAnswer,
    GoalType,
    MatchType,
    PatchedGoalRequest,
    Period,
    RateLimitError,
    ValidationError,
)

SITE = os.environ["CONTRACT_SITE"]
NOWHERE = "550e8400-e29b-41d4-a716-446655440000"


def client(secret: str) -> Any:
    return AuthenticatedClient(os.environ["CONTRACT_URL"], token=secret)


def answered(response: Any, status: int, kind: type) -> Any:
    assert (response.status_code, type(response.parsed)) == (status, kind), response
    return response.parsed


def main() -> None:
    owner = client(os.environ["CONTRACT_KEY"])
    reader = client(os.environ["CONTRACT_READ_KEY"])
    body = GoalRequest(
        "Purchase", GoalType.CUSTOM, MatchType.EXACT, "purchase", Currency.USD
    )

    made = goals_create.sync_detailed(SITE, client=owner, body=body)
    goal = answered(made, 201, GoalAnswer).data
    listed = goals_list.sync_detailed(SITE, client=owner)
    assert goal in answered(listed, 200, GoalListAnswer).data
    changes = PatchedGoalRequest(name="Order", currency=None)
    changed = goals_update.sync_detailed(SITE, goal.id, client=owner, body=changes)
    assert answered(changed, 200, GoalAnswer).data.name == "Order"
    counted = goals_stats.sync_detailed(
        SITE, goal.id, client=owner, period=Period.VALUE_0
    )
    stats = answered(counted, 200, GoalStatsAnswer).data
    assert (stats.conversions, stats.revenue) == (0, None)
    deleted = goals_delete.sync_detailed(SITE, goal.id, client=owner)
    assert answered(deleted, 200, DeletionAnswer).data.deleted

    refused = goals_list.sync_detailed(SITE, client=client("kr_live_no"))
    answered(refused, 401, ApiError)
    refused = goals_create.sync_detailed(SITE, client=reader, body=body)
    assert answered(refused, 403, ApiError).error == "Insufficient scope"
    refused = goals_stats.sync_detailed(SITE, NOWHERE, client=owner)
    answered(refused, 404, ApiError)
    body.match_type, body.match_value = MatchType.REGEX, "("
    refused = goals_create.sync_detailed(SITE, client=owner, body=body)
    assert answered(refused, 422, ValidationError).details["match_value"]
    while refused.status_code != 429:
        refused = goals_list.sync_detailed(SITE, client=owner)
    assert answered(refused, 429, RateLimitError).retry_after > 0


main()
