"""Goals in the admin: the API's rules, deleted softly."""

import re
from datetime import UTC, datetime

import pytest

from goals.models import Goal
from tests.analytics.admin.client import CONFIRMED, errors, superuser, url
from tests.factories import GoalFactory
from tests.queries import captured_queries


@pytest.fixture
def operator(db):
    return superuser()


def goal_form(site, **values):
    return {
        "site": site.pk,
        "name": "Signup",
        "type": "event",
        "match_type": "exact",
        "match_value": "signup",
        "currency": "",
        **values,
    }


def test_goal_is_created_as_typed(operator, site):
    value = "  /Caf%C3%A9 "
    response = operator.post(url("goal", "add"), goal_form(site, match_value=value))
    goal = Goal.objects.get()
    assert response.status_code == 302
    assert (goal.site, goal.match_value, goal.currency) == (site, value, None)


@pytest.mark.parametrize(
    "values",
    [
        {"match_type": "regex", "match_value": "a(?=b)"},
        {"match_type": "regex", "match_value": "("},
        {"name": ""},
        {"name": "n" * 256},
        {"match_value": ""},
        {"match_value": "v" * 1_025},
        {"currency": "XXX"},
        {"type": "click"},
    ],
)
def test_goal_form_refuses_what_the_api_refuses(operator, writer, site, values):
    of_form = operator.post(url("goal", "add"), goal_form(site, **values))
    sent = goal_form(site, currency=None) | values
    del sent["site"]
    of_api = writer("POST", f"/sites/{site.site_key}/goals", sent)
    assert set(errors(of_form)) == set(of_api.json()["details"])
    assert not Goal.objects.exists()


def test_wrong_pattern_is_refused_with_the_reason_of_re2(operator, site):
    goal = GoalFactory.create(site=site)
    form = goal_form(site, match_type="regex", match_value="(?!x)")
    response = operator.post(url("goal", "change", goal.pk), form)
    assert "Not a valid RE2 pattern" in errors(response)["match_value"][0]


def test_edited_goal_keeps_what_the_form_does_not_change(operator, site):
    goal = GoalFactory.create(site=site, name="Old")
    before = goal.updated_at
    operator.post(url("goal", "change", goal.pk), goal_form(site, name="New"))
    goal.refresh_from_db()
    assert (goal.name, goal.match_value) == ("New", "signup")
    assert goal.updated_at > before


@pytest.mark.parametrize(
    ("values", "saved"),
    [
        ({"name": "New"}, {"name"}),
        ({"match_value": "x"}, {"type", "match_type", "match_value"}),
    ],
)
def test_only_what_was_changed_is_saved_and_a_rule_as_a_whole(
    operator, site, values, saved
):
    goal = GoalFactory.create(site=site)
    with captured_queries() as captured:
        operator.post(url("goal", "change", goal.pk), goal_form(site, **values))
    (update,) = [sql for sql in captured if 'UPDATE "goals_goal"' in sql]
    columns = re.findall(r'"(\w+)" =', update.partition("WHERE")[0])
    assert set(columns) == saved | {"updated_at"}


def test_site_holds_no_more_goals_than_by_the_api(operator, site, monkeypatch):
    monkeypatch.setattr("goals.models.MAX_GOALS", 1)
    full, deleted = GoalFactory.create(site=site), GoalFactory.create(site=site)
    Goal.objects.filter(pk=deleted.pk).update(deleted_at=datetime.now(UTC))
    refused = operator.post(url("goal", "add"), goal_form(site))
    operator.post(url("goal", "restore", deleted.pk), CONFIRMED)
    assert errors(refused)["site"] == ["A site holds at most 1 goals."]
    assert list(Goal.objects.undeleted()) == [full]


def test_goal_is_deleted_softly_and_restored(operator, writer, reader, site):
    goal = GoalFactory.create(site=site)
    address = f"/sites/{site.site_key}/goals/{goal.pk}"
    operator.post(url("goal", "delete", goal.pk))
    assert reader("GET", address).status_code == 200
    operator.post(url("goal", "delete", goal.pk), CONFIRMED)
    assert reader("GET", address).status_code == 404
    operator.post(url("goal", "restore", goal.pk), CONFIRMED)
    assert reader("GET", address).status_code == 200


def test_many_goals_are_deleted_softly(operator, site):
    goals = [GoalFactory.create(site=site), GoalFactory.create(site=site)]
    form = {"action": "delete_selected", "_selected_action": [g.pk for g in goals]}
    asked = operator.post(url("goal", "changelist"), form)
    assert asked.status_code == 200
    assert Goal.objects.undeleted().count() == 2
    operator.post(url("goal", "changelist"), form | CONFIRMED)
    assert (Goal.objects.count(), Goal.objects.undeleted().count()) == (2, 0)


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ({"type__exact": "custom"}, {"type": "custom"}),
        ({"match_type__exact": "regex"}, {"match_type": "regex"}),
        ({"state": "deleted"}, {"deleted_at": datetime(2026, 1, 1, tzinfo=UTC)}),
        ({"q": "Wanted"}, {"name": "Wanted"}),
    ],
)
def test_goals_are_filtered(operator, site, query, values):
    GoalFactory.create(site=site)
    GoalFactory.create(**values)
    wanted = GoalFactory.create(site=site, **values)
    query = {**query, "site__id__exact": site.pk}
    page = operator.get(url("goal", "changelist"), query)
    assert list(page.context["cl"].result_list) == [wanted]
