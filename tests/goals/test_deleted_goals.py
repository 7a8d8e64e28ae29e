"""Deleted goals: listed, and restored with their history."""

import pytest

from goals import models
from goals.models import Goal
from tests.factories import GoalFactory, store

pytestmark = pytest.mark.django_db


@pytest.fixture
def address(site):
    return f"/sites/{site.site_key}/deleted-goals"


def delete(writer, site, goal):
    assert (
        writer("DELETE", f"/sites/{site.site_key}/goals/{goal.pk}").status_code == 200
    )


def test_deleted_goals_are_listed_last_deleted_first(site, writer, address):
    goals = [GoalFactory.create(site=site, name=name) for name in ("a", "b", "kept")]
    for goal in goals[:2]:
        delete(writer, site, goal)
    rows = writer("GET", address).json()["data"]
    assert [row["name"] for row in rows] == ["b", "a"]
    assert set(rows[0]) == {
        *("id", "name", "type", "match_type", "match_value", "currency"),
        "deleted_at",
    }


def test_restored_goal_has_its_history(site, writer, reader, address):
    goal = GoalFactory.create(site=site)
    store(site, "event", "signup")
    delete(writer, site, goal)
    store(site, "event", "signup")
    restored = writer("POST", f"{address}/{goal.pk}/restore")
    assert restored.status_code == 200
    own = f"/sites/{site.site_key}/goals/{goal.pk}"
    got = reader("GET", own)
    assert restored.json() == got.json()
    assert restored.headers["ETag"] == got.headers["ETag"]
    assert reader("GET", f"{own}/stats").json()["data"]["conversions"] == 2
    assert writer("GET", address).json() == {"data": []}


def test_live_goal_cannot_be_restored(site, writer, address):
    goal = GoalFactory.create(site=site)
    assert writer("POST", f"{address}/{goal.pk}/restore").status_code == 404


def test_full_site_takes_no_goal_back(site, writer, address, monkeypatch):
    goal = GoalFactory.create(site=site)
    delete(writer, site, goal)
    monkeypatch.setattr(models, "MAX_GOALS", 0)
    response = writer("POST", f"{address}/{goal.pk}/restore")
    assert response.status_code == 422
    assert "at most 0 goals" in response.json()["details"]["non_field_errors"][0]
    assert Goal.objects.get().deleted_at is not None
