"""POST /sites/:key/goals."""

from goals.models import Goal

PURCHASE = {
    "name": "Purchase",
    "type": "custom",
    "match_type": "exact",
    "match_value": "purchase",
    "currency": "USD",
}


def test_whole_goal_is_created_and_answered_as_documented(writer, site):
    response = writer("POST", f"/sites/{site.site_key}/goals", PURCHASE)
    goal = Goal.objects.get()
    assert response.status_code == 201
    assert response.json() == {"data": {"id": str(goal.id), **PURCHASE}}
    assert goal.site == site


def test_currency_is_optional(writer, site):
    body = {key: value for key, value in PURCHASE.items() if key != "currency"}
    response = writer("POST", f"/sites/{site.site_key}/goals", body)
    assert response.status_code == 201
    assert response.json()["data"]["currency"] is None


def test_match_value_is_kept_as_sent(writer, site):
    value = "  /Caf%C3%A9/ünï "
    body = {**PURCHASE, "match_value": value}
    response = writer("POST", f"/sites/{site.site_key}/goals", body)
    assert response.json()["data"]["match_value"] == value
