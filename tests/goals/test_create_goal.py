"""POST /sites/:key/goals."""

import pytest

from goals.models import MAX_GOALS, Goal
from tests.factories import GoalFactory
from tests.goals.test_matching import REFUSED
from tests.routes import WITH_BODY

pytestmark = pytest.mark.django_db

PURCHASE = {
    "name": "Purchase",
    "type": "custom",
    "match_type": "exact",
    "match_value": "purchase",
    "currency": "USD",
}
THANK_YOU = {
    "name": "Thank You Page",
    "type": "pageview",
    "match_type": "exact",
    "match_value": "/thank-you",
}


@pytest.fixture
def create(writer, site):
    def create(body):
        return writer("POST", f"/sites/{site.site_key}/goals", body)

    return create


def test_whole_goal_is_created_and_answered_as_documented(create, site):
    response = create(PURCHASE)
    goal = Goal.objects.get()
    assert response.status_code == 201
    assert response.headers["Content-Type"] == "application/json"
    # Byte for byte: the document's keys in the document's order.
    assert response.content.decode() == (
        f'{{"data":{{"id":"{goal.id}","name":"Purchase","type":"custom",'
        '"match_type":"exact","match_value":"purchase","currency":"USD"}}'
    )
    assert goal.site == site
    assert goal.deleted_at is None


def test_currency_is_optional_and_shown_as_null(create):
    response = create(THANK_YOU)
    assert response.status_code == 201
    data = response.json()["data"]
    assert list(data) == ["id", *PURCHASE]
    assert {**data, "id": "x"} == {"id": "x", **THANK_YOU, "currency": None}


def test_null_currency_is_none(create):
    assert create({**PURCHASE, "currency": None}).json()["data"]["currency"] is None


@pytest.mark.parametrize("goal_type", ["pageview", "event", "custom"])
@pytest.mark.parametrize("match_type", ["exact", "contains", "regex"])
def test_types_and_match_types_go_together_freely(create, goal_type, match_type):
    body = {**PURCHASE, "type": goal_type, "match_type": match_type}
    data = create(body).json()["data"]
    assert (data["type"], data["match_type"]) == (goal_type, match_type)


@pytest.mark.parametrize(
    "value",
    [
        "  /Caf%C3%A9/ünï ",
        " ",
        "a\nb\t",
        "/Pricing/",
        "100%_*",
        "日本🛒",
        "<script>alert(1)</script>",
        "'; DROP TABLE goals_goal; --",
        "x" * 1_024,
        "é" * 1_024,
    ],
)
def test_match_value_is_kept_as_sent(create, value):
    response = create({**PURCHASE, "match_value": value})
    assert response.json()["data"]["match_value"] == value
    assert Goal.objects.get().match_value == value


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("  Sign up  ", "Sign up"),
        ("x" * 255, "x" * 255),
        (" " + "é" * 255 + " ", "é" * 255),
        ("Größe 🛒", "Größe 🛒"),
    ],
)
def test_name_is_trimmed(create, sent, kept):
    assert create({**PURCHASE, "name": sent}).json()["data"]["name"] == kept


@pytest.mark.parametrize("currency", ["EUR", "JPY", "KWD", "CLF", "ZWG", "XOF"])
def test_active_currency_is_taken(create, currency):
    body = {**PURCHASE, "currency": currency}
    assert create(body).json()["data"]["currency"] == currency


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None),
        ("name", ""),
        ("name", " \t\n"),
        ("name", "x" * 256),
        ("name", "a\0b"),
        ("name", 5),
        ("name", True),
        ("name", ["x"]),
        ("name", {"en": "x"}),
        ("type", None),
        ("type", ""),
        ("type", "Event"),
        ("type", "goal"),
        ("type", " event"),
        ("type", 1),
        ("type", ["event"]),
        ("match_type", None),
        ("match_type", "wildcard"),
        ("match_type", "EXACT"),
        ("match_type", {}),
        ("match_value", None),
        ("match_value", ""),
        ("match_value", "x" * 1_025),
        ("match_value", "a\0b"),
        ("match_value", 42),
        ("match_value", ["x"]),
        ("currency", ""),
        ("currency", " "),
        ("currency", "usd"),
        ("currency", "USD "),
        ("currency", "US"),
        ("currency", "XYZ"),
        # No longer, or never, money to count in.
        ("currency", "DEM"),
        ("currency", "HRK"),
        ("currency", "XAU"),
        ("currency", "XXX"),
        ("currency", 840),
        ("currency", False),
        ("currency", ["USD"]),
    ],
)
def test_wrong_field_is_named_and_nothing_is_stored(create, field, value):
    response = create({**PURCHASE, field: value})
    assert response.status_code == 422
    assert response.json()["error"] == "Validation failed"
    assert list(response.json()["details"]) == [field]
    assert not Goal.objects.exists()


@pytest.mark.parametrize(
    "route",
    [route for route in WITH_BODY if "match_type" in route.fields],
    ids=lambda route: route.label,
)
def test_every_route_that_takes_a_goal_refuses_an_empty_currency(owner, ids, route):
    response = owner(route.method, route.url(**ids), {**route.body, "currency": ""})
    assert response.status_code == 422
    assert list(response.json()["details"]) == ["currency"]


def test_all_wrong_fields_are_named_at_once(create):
    response = create({"type": "x", "currency": "x", "matchvalue": "y"})
    assert response.status_code == 422
    assert response.json()["details"].keys() == {
        "name",
        "type",
        "match_type",
        "match_value",
        "currency",
        "matchvalue",
    }


def test_missing_fields_are_required(create):
    assert create({}).json() == {
        "error": "Validation failed",
        "details": {
            field: ["This field is required."]
            for field in ("name", "type", "match_type", "match_value")
        },
    }


@pytest.mark.parametrize(("pattern", "reason"), REFUSED)
def test_pattern_that_re2_refuses_is_422_with_its_reason(create, pattern, reason):
    response = create({**PURCHASE, "match_type": "regex", "match_value": pattern})
    assert response.status_code == 422
    assert response.json()["details"] == {
        "match_value": [f"Not a valid RE2 pattern: {reason}"]
    }


def test_no_pattern_is_sought_in_plain_text(create):
    for match_type in ("exact", "contains"):
        body = {**PURCHASE, "match_type": match_type, "match_value": "(?=["}
        assert create(body).status_code == 201


def test_id_that_is_sent_is_not_taken(create):
    sent = "550e8400-e29b-41d4-a716-446655440000"
    assert create({**PURCHASE, "id": sent}).json()["data"]["id"] != sent


def test_two_goals_may_be_alike(create):
    first, second = create(PURCHASE).json(), create(PURCHASE).json()
    assert first["data"]["id"] != second["data"]["id"]


def test_goal_after_the_last_is_refused(create, site):
    Goal.objects.bulk_create(GoalFactory.build(site=site) for _ in range(MAX_GOALS - 1))
    assert MAX_GOALS == 1_000
    assert create(PURCHASE).status_code == 201
    response = create(PURCHASE)
    assert response.status_code == 422
    assert "1000 goals" in str(response.json()["details"])
    assert Goal.objects.count() == MAX_GOALS


def test_deleted_goals_leave_room(create, site, writer):
    Goal.objects.bulk_create(GoalFactory.build(site=site) for _ in range(MAX_GOALS))
    goal = Goal.objects.earliest("pk")
    writer("DELETE", f"/sites/{site.site_key}/goals/{goal.id}")
    assert create(PURCHASE).status_code == 201
