"""When the rule of a goal was changed."""

import pytest

from tests.factories import GoalFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def goal(site):
    return GoalFactory.create(
        site=site, type="event", match_type="exact", match_value="a"
    )


@pytest.fixture
def address(site, goal):
    return f"/sites/{site.site_key}/goals/{goal.pk}"


def rule(match_value, match_type="exact"):
    return {"type": "event", "match_type": match_type, "match_value": match_value}


def test_each_change_of_the_rule_is_told_the_last_first(reader, writer, address):
    assert reader("GET", f"{address}/changes").json() == {"data": []}
    writer("PATCH", address, {"match_value": "b"})
    writer("PATCH", address, {"name": "Other"})
    writer("PATCH", address, {"match_type": "contains", "name": "Another"})
    last, first = reader("GET", f"{address}/changes").json()["data"]
    assert (first["before"], first["after"]) == (rule("a"), rule("b"))
    assert (last["before"], last["after"]) == (rule("b"), rule("b", "contains"))
    assert first["at"] <= last["at"]


def test_other_goals_changes_are_not_among_them(site, reader, writer, address):
    other = GoalFactory.create(site=site)
    writer("PATCH", f"/sites/{site.site_key}/goals/{other.pk}", {"match_value": "x"})
    assert reader("GET", f"{address}/changes").json() == {"data": []}


def test_set_that_changes_a_rule_is_told(site, goal, reader, writer, address):
    body = {"goals": [{"name": goal.name, **rule("set")}]}
    assert (
        writer("POST", f"/sites/{site.site_key}/goals/apply", body).status_code == 200
    )
    (change,) = reader("GET", f"{address}/changes").json()["data"]
    assert (change["before"], change["after"]) == (rule("a"), rule("set"))


def test_parameters_are_refused(reader, address):
    assert reader("GET", f"{address}/changes?period=7d").status_code == 422
