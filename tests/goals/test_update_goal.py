"""PATCH /sites/:key/goals/:id."""

import pytest

from goals.models import Goal
from tests.factories import GoalFactory, store
from tests.queries import captured_queries

pytestmark = pytest.mark.django_db

FIELDS = {
    "name": "Purchase",
    "type": "custom",
    "match_type": "exact",
    "match_value": "purchase",
    "currency": "USD",
}


@pytest.fixture
def goal(site):
    return GoalFactory.create(site=site, **FIELDS)


@pytest.fixture
def patch(writer, site, goal):
    def patch(body):
        return writer("PATCH", f"/sites/{site.site_key}/goals/{goal.id}", body)

    return patch


def test_goal_is_changed_and_answered_as_documented(patch, goal):
    response = patch({"name": "Completed Purchase", "currency": "EUR"})
    assert response.status_code == 200
    assert response.content.decode() == (
        f'{{"data":{{"id":"{goal.id}","name":"Completed Purchase","type":"custom",'
        '"match_type":"exact","match_value":"purchase","currency":"EUR"}}'
    )
    goal.refresh_from_db()
    assert (goal.name, goal.currency) == ("Completed Purchase", "EUR")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "Order"),
        ("type", "event"),
        ("match_type", "contains"),
        ("match_value", " /Order% "),
        ("currency", "JPY"),
        ("currency", None),
    ],
)
def test_one_field_changes_and_no_other(patch, goal, field, value):
    response = patch({field: value})
    assert response.json()["data"] == {"id": str(goal.id), **FIELDS, field: value}
    stored = Goal.objects.values(*FIELDS).get()
    assert stored == {**FIELDS, field: value}


def test_nothing_sent_changes_nothing(patch, goal):
    assert patch({}).json()["data"] == {"id": str(goal.id), **FIELDS}


def test_whole_goal_can_be_sent_back(patch, goal, reader, site):
    url = f"/sites/{site.site_key}/goals/{goal.id}"
    whole = reader("GET", url).json()["data"]
    response = patch({**whole, "name": "Order"})
    assert response.status_code == 200
    assert response.json()["data"] == {**whole, "name": "Order"}


def test_id_is_not_changed(patch, goal):
    other = "00000000-0000-4000-8000-000000000000"
    assert patch({"id": other}).json()["data"]["id"] == str(goal.id)
    assert patch({"id": 5}).status_code == 200
    assert Goal.objects.get().id == goal.id


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", None),
        ("name", 1),
        ("type", None),
        ("type", "goal"),
        ("match_type", "like"),
        ("match_value", ""),
        ("match_value", None),
        ("match_value", "x" * 1_025),
        ("currency", ""),
        ("currency", "usd"),
        ("currency", 978),
        ("site", "sk_abc123def456"),
        ("deleted_at", None),
        ("created_at", "2026-01-01T00:00:00Z"),
    ],
)
def test_wrong_field_is_named_and_nothing_changes(patch, field, value):
    response = patch({"name": "Order", field: value})
    assert response.status_code == 422
    assert list(response.json()["details"]) == [field]
    assert Goal.objects.values(*FIELDS).get() == FIELDS


def test_pattern_is_checked_against_the_goal_as_it_would_be(patch):
    # Fine as plain text, no pattern: refused from both sides.
    assert patch({"match_value": "(?=x)"}).status_code == 200
    response = patch({"match_type": "regex"})
    assert response.status_code == 422
    assert list(response.json()["details"]) == ["match_value"]
    assert Goal.objects.get().match_type == "exact"

    assert patch({"match_type": "regex", "match_value": "^x"}).status_code == 200
    assert patch({"match_value": "(?=x)"}).status_code == 422
    assert patch({"match_type": "exact", "match_value": "(?=x)"}).status_code == 200


def test_only_what_was_sent_is_written(patch):
    """So that two changes of different fields at once both hold."""
    with captured_queries() as queries:
        patch({"name": "Order"})
    [update] = [sql for sql in queries if sql.startswith('UPDATE "goals_goal"')]
    assert '"name"' in update
    assert '"match_value"' not in update


def test_time_of_the_change_is_kept(patch, goal):
    before = goal.updated_at
    patch({"name": "Order"})
    goal.refresh_from_db()
    assert goal.updated_at > before


def test_change_of_the_rule_counts_history_again(patch, goal, site, reader):
    for name in ("purchase", "purchase", "order"):
        store(site, "goal", name)
    store(site, "event", "purchase")
    url = f"/sites/{site.site_key}/goals/{goal.id}/stats"

    def conversions():
        return reader("GET", url).json()["data"]["conversions"]

    assert conversions() == 2
    patch({"match_value": "order"})
    assert conversions() == 1
    patch({"match_type": "regex", "match_value": "."})
    assert conversions() == 3
    patch({"type": "event"})
    assert conversions() == 1


def test_change_of_the_currency_counts_revenue_again(patch, goal, site, reader):
    store(site, "goal", "purchase", amount=10_0000, currency="USD")
    store(site, "goal", "purchase", amount=5_0000)
    url = f"/sites/{site.site_key}/goals/{goal.id}/stats"

    def revenue():
        return reader("GET", url).json()["data"]["revenue"]

    assert revenue() == 15
    patch({"currency": None})
    assert revenue() is None
    patch({"currency": "EUR"})
    assert revenue() == 5


def test_whole_replacement_is_no_method(writer, site, goal):
    response = writer("PUT", f"/sites/{site.site_key}/goals/{goal.id}", FIELDS)
    assert response.status_code == 405
