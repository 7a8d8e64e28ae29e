"""DELETE /sites/:key/goals/:id."""

import pytest

from analytics.models import Event
from goals.models import Goal
from tests.factories import GoalFactory, store

pytestmark = pytest.mark.django_db


@pytest.fixture
def goal(site):
    return GoalFactory.create(site=site, match_value="signup")


@pytest.fixture
def url(site, goal):
    return f"/sites/{site.site_key}/goals/{goal.id}"


def test_goal_is_deleted_and_answered_as_documented(writer, url):
    response = writer("DELETE", url)
    assert response.status_code == 200
    assert response.content == b'{"data":{"deleted":true}}'


def test_deleted_goal_is_gone_from_then_on(writer, owner, url, site):
    writer("DELETE", url)
    for method, path in [
        ("GET", url),
        ("PATCH", url),
        ("DELETE", url),
        ("GET", f"{url}/stats"),
    ]:
        assert owner(method, path, {}).status_code == 404
    assert owner("GET", f"/sites/{site.site_key}/goals").json() == {"data": []}


def test_events_and_history_stay(writer, url, site, goal):
    store(site, "event", "signup")
    writer("DELETE", url)
    assert Event.objects.count() == 1
    goal.refresh_from_db()
    assert goal.deleted_at is not None


def test_restored_goal_has_its_whole_history(writer, reader, url, site, goal):
    store(site, "event", "signup")
    writer("DELETE", url)
    store(site, "event", "signup")
    Goal.objects.update(deleted_at=None)
    assert reader("GET", f"{url}/stats").json()["data"]["conversions"] == 2


def test_other_goals_stay(writer, reader, url, site):
    other = GoalFactory.create(site=site, name="Other")
    writer("DELETE", url)
    listed = reader("GET", f"/sites/{site.site_key}/goals").json()["data"]
    assert [row["id"] for row in listed] == [str(other.id)]


def test_body_of_a_delete_is_not_looked_at(writer, url):
    assert writer("DELETE", url, b"{").status_code == 200
