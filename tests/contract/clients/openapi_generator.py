"""The API by the Python client that openapi-generator makes."""

import os
from typing import Any

import pytest
from krafter_pydantic import ApiClient, Configuration, GoalsApi
from krafter_pydantic.exceptions import (
    ApiException,
    ForbiddenException,
    NotFoundException,
    UnauthorizedException,
    UnprocessableEntityException,
)
from krafter_pydantic.models import (
    ApiError,
    Currency,
    GoalRequest,
    GoalType,
    MatchType,
    PatchedGoalRequest,
    Period,
    RateLimitError,
    ValidationError,
)

SITE = os.environ["CONTRACT_SITE"]
NOWHERE = "550e8400-e29b-41d4-a716-446655440000"


def goals(secret: str) -> Any:
    url = os.environ["CONTRACT_URL"]
    # Or urllib3 would wait for the end of the minute, and try again.
    configuration = Configuration(host=url, access_token=secret, retries=0)
    return GoalsApi(ApiClient(configuration))


def list_without_end(api: Any) -> None:
    while True:
        api.goals_list(SITE)


def main() -> None:
    owner = goals(os.environ["CONTRACT_KEY"])
    reader = goals(os.environ["CONTRACT_READ_KEY"])
    body = GoalRequest(
        name="Purchase",
        type=GoalType.CUSTOM,
        match_type=MatchType.EXACT,
        match_value="purchase",
        currency=Currency.USD,
    )

    goal = owner.goals_create(SITE, body).data
    assert goal in owner.goals_list(SITE).data
    changes = PatchedGoalRequest(name="Order", currency=None)
    changed = owner.goals_update(goal.id, SITE, changes).data
    assert (changed.name, changed.currency) == ("Order", None)
    stats = owner.goals_stats(goal.id, SITE, period=Period.ENUM_7D).data
    assert (stats.conversions, stats.revenue) == (0, None)
    assert owner.goals_delete(goal.id, SITE).data.deleted

    with pytest.raises(UnauthorizedException) as caught:
        goals("kr_live_no").goals_list(SITE)
    assert isinstance(caught.value.data, ApiError)
    with pytest.raises(ForbiddenException) as caught:
        reader.goals_create(SITE, body)
    assert caught.value.data.error == "Insufficient scope"
    with pytest.raises(NotFoundException) as caught:
        owner.goals_stats(NOWHERE, SITE)
    assert isinstance(caught.value.data, ApiError)
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


main()
