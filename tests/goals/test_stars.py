"""Goals with a star: those that overviews show first."""

import pytest

from analytics.models import AuditEntry
from tests.factories import GoalFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def goal(site):
    return GoalFactory.create(site=site, name="Bought")


@pytest.fixture
def address(site, goal):
    return f"/sites/{site.site_key}/goals/{goal.pk}"


def starred(reader, site, value):
    rows = reader("GET", f"/sites/{site.site_key}/goals?starred={value}").json()
    return [row["name"] for row in rows["data"]]


def test_star_is_given_and_taken(site, writer, reader, address):
    GoalFactory.create(site=site, name="Other")
    assert starred(reader, site, "true") == []
    answer = writer("POST", f"{address}/star")
    assert (answer.status_code, answer.json()) == (200, {"data": {"starred": True}})
    assert starred(reader, site, "true") == ["Bought"]
    assert starred(reader, site, "false") == ["Other"]
    assert writer("POST", f"{address}/unstar").json() == {"data": {"starred": False}}
    assert starred(reader, site, "true") == []


def test_goal_itself_keeps_its_keys_and_its_version(writer, reader, address):
    before = reader("GET", address)
    writer("POST", f"{address}/star")
    after = reader("GET", address)
    assert after.json() == before.json()
    assert after.headers["ETag"] == before.headers["ETag"]


def test_second_star_changes_nothing(goal, writer, address):
    writer("POST", f"{address}/star")
    goal.refresh_from_db()
    first = goal.starred_at
    assert writer("POST", f"{address}/star").status_code == 200
    goal.refresh_from_db()
    assert goal.starred_at == first
    actions = list(AuditEntry.objects.values_list("action", flat=True))
    assert actions.count("goal.starred") == 1


def test_wrong_filter_and_parameter_are_named(site, reader, writer, address):
    answer = reader("GET", f"/sites/{site.site_key}/goals?starred=yes")
    assert answer.status_code == 422
    assert "starred" in answer.json()["details"]
    assert writer("POST", f"{address}/star?twice=1").status_code == 422


def test_deleted_goal_gets_no_star(goal, writer, address):
    writer("DELETE", address)
    assert writer("POST", f"{address}/star").status_code == 404
