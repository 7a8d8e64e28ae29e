"""The API by the Python client that openapi-generator makes."""

import json
import os
from typing import Any

import pytest
from krafter_pydantic import ApiClient, Configuration, EventsApi, GoalsApi
from krafter_pydantic.exceptions import (
    ApiException,
    ForbiddenException,
    NotFoundException,
    UnauthorizedException,
    UnprocessableEntityException,
)
from krafter_pydantic.models import (
    AnyEventRevenue,
    ErrorBody,
    EventBatch,
    EventBatchEventsInner,
    EventOutcomeStatus,
    EventType,
    GoalRequest,
    GoalType,
    MatchType,
    PatchedGoalRequest,
    RateLimitError,
    Sent,
    ServerEvent,
    ValidationError,
)

SITE = os.environ["CONTRACT_SITE"]
NOWHERE = "550e8400-e29b-41d4-a716-446655440000"


def client(secret: str) -> Any:
    url = os.environ["CONTRACT_URL"]
    # Or urllib3 would wait for the end of the minute, and try again.
    return ApiClient(Configuration(host=url, access_token=secret, retries=0))


def event(id: str, amount: float) -> Any:
    return ServerEvent(
        type=EventType.GOAL,
        name="purchase",
        visitor_id="customer-1",
        id=id,
        revenue=AnyEventRevenue(amount),
        currency="USD",
    )


def list_without_end(api: Any) -> None:
    while True:
        api.goals_list(SITE)


def main() -> None:
    key = client(os.environ["CONTRACT_KEY"])
    owner, events = GoalsApi(key), EventsApi(key)
    reader = GoalsApi(client(os.environ["CONTRACT_READ_KEY"]))
    body = GoalRequest(
        name="Purchase",
        type=GoalType.CUSTOM,
        match_type=MatchType.EXACT,
        match_value="purchase",
        currency="USD",
    )

    goal = owner.goals_create(SITE, body).data
    assert goal in owner.goals_list(SITE).data
    (one,) = events.events_create(SITE, Sent(event("order-1", 1234567.89))).data
    assert one.status == EventOutcomeStatus.ACCEPTED
    two = [event("order-2", 0.1), event("order-3", 0.2)]
    batch = EventBatch(events=[EventBatchEventsInner(sent) for sent in two])
    assert len(events.events_create(SITE, Sent(batch)).data) == 2
    stats = owner.goals_stats(SITE, goal.id, period="7d").data
    assert (stats.conversions, stats.unique_conversions) == (3, 1)
    assert stats.revenue == 1234568.19
    changes = PatchedGoalRequest(name="Order", currency=None)
    changed = owner.goals_update(SITE, goal.id, changes).data
    assert (changed.name, changed.currency) == ("Order", None)
    assert owner.goals_delete(SITE, goal.id).data.deleted

    with pytest.raises(UnauthorizedException) as caught:
        GoalsApi(client("kr_live_no")).goals_list(SITE)
    assert isinstance(caught.value.data, ErrorBody)
    with pytest.raises(ForbiddenException) as caught:
        reader.goals_create(SITE, body)
    assert caught.value.data.error == "Insufficient scope"
    with pytest.raises(NotFoundException) as caught:
        owner.goals_stats(SITE, NOWHERE)
    assert isinstance(caught.value.data, ErrorBody)
    body.match_type, body.match_value = MatchType.REGEX, "("
    with pytest.raises(UnprocessableEntityException) as caught:
        owner.goals_create(SITE, body)
    assert isinstance(caught.value.data, ValidationError)
    assert caught.value.data.details["match_value"]
    with pytest.raises(ApiException) as caught:
        list_without_end(owner)
    assert caught.value.status == 429
    assert isinstance(caught.value.data, RateLimitError)
    assert caught.value.data.retry_after > 0
    errors = [401, 403, 404, 422, 429]
    print(json.dumps({"operations": 7, "errors": errors, "money": stats.revenue}))


main()
