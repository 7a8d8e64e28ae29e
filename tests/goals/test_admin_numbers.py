"""Numbers beside goals and sites in the admin, and what is said on saving."""

import pytest
from django.contrib.messages import get_messages

from analytics.models import Role
from krafter.errors import Unavailable
from tests.analytics.admin.client import member, superuser, url
from tests.factories import GoalFactory, SiteFactory, store
from tests.goals.test_admin_goals import goal_form


@pytest.fixture
def operator(db):
    return superuser()


@pytest.fixture
def goal(site):
    store(site, "event", "signup", visitor=1)
    store(site, "event", "signup", visitor=2)
    return GoalFactory.create(
        site=site, name="Signup", type="event", match_value="signup"
    )


def test_list_asks_for_the_numbers_of_its_rows(operator, goal):
    page = operator.get(url("goal", "changelist")).content.decode()
    current = url("goal", "current")
    assert f'data-current="{goal.pk}" data-number="conversions"' in page
    assert f'data-from="{current}"' in page
    numbers = operator.get(current, {"id": [goal.pk]}).json()[str(goal.pk)]
    assert numbers["conversions"] == "2"
    assert len(numbers["last"]) == len("2026-03-01")


def test_site_has_the_conversions_of_its_goals_and_its_last_event(operator, site, goal):
    other = SiteFactory.create(team=site.team)
    answer = operator.get(url("site", "current"), {"id": [site.pk, other.pk]}).json()
    assert answer[str(site.pk)]["conversions"] == "2"
    assert answer[str(site.pk)]["last"] != "none"
    assert answer[str(other.pk)] == {"conversions": "0", "last": "none"}


def test_numbers_of_foreign_rows_are_not_told(site, goal, strangers_site):
    foreign = GoalFactory.create(site=strangers_site)
    staff = member((site.team, Role.VIEWER))
    answer = staff.get(url("goal", "current"), {"id": [goal.pk, foreign.pk]}).json()
    assert list(answer) == [str(goal.pk)]


@pytest.mark.parametrize("model", ["goal", "site"])
def test_numbers_of_what_is_no_id_are_not_found(operator, model):
    assert operator.get(url(model, "current"), {"id": "x"}).status_code == 404


def test_first_count_is_not_waited_for(operator, goal, monkeypatch):
    def busy(*args, **kwargs):
        raise Unavailable("being counted")

    monkeypatch.setattr("goals.counting.stats.counted", busy)
    numbers = operator.get(url("goal", "current"), {"id": [goal.pk]}).json()
    assert numbers[str(goal.pk)]["conversions"] == "being counted"
    numbers = operator.get(url("site", "current"), {"id": [goal.site_id]}).json()
    assert numbers[str(goal.site_id)]["conversions"] == "being counted"


@pytest.mark.parametrize("model", ["goal", "site"])
def test_page_and_deletion_of_a_row_say_what_it_has(operator, site, goal, model):
    row = goal if model == "goal" else site
    says = "2 conversions in the last 30 days"
    assert says in operator.get(url(model, "change", row.pk)).content.decode()
    deletion = operator.get(url(model, "delete", row.pk)).content.decode()
    assert says in deletion
    assert ("signup" if model == "goal" else "1 goals") in deletion


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def test_saving_a_rule_that_matches_nothing_warns_and_says_why(operator, site, goal):
    form = goal_form(site, name="Typing error", match_value="sign-up")
    response = operator.post(url("goal", "add"), form)
    assert response.status_code == 302
    (warning, *_) = [text for text in said(response) if "matches this rule" in text]
    assert warning.startswith("No event of the last 30 days matches this rule.")


def test_saving_a_rule_that_matches_does_not_warn(operator, site, goal):
    response = operator.post(url("goal", "add"), goal_form(site, name="Again"))
    assert response.status_code == 302
    assert not any("matches this rule" in text for text in said(response))


def test_saving_another_name_does_not_warn(operator, site):
    goal = GoalFactory.create(site=site, type="event", match_value="never")
    form = goal_form(site, name="Renamed", match_value="never")
    response = operator.post(url("goal", "change", goal.pk), form)
    assert response.status_code == 302
    assert not any("matches this rule" in text for text in said(response))


def test_events_page_names_the_site(operator, site):
    response = operator.get(url("event", "changelist"), {"site__id__exact": site.pk})
    page = response.content.decode()
    assert f"events of <strong>{site.name}</strong> ({site.domain})" in page
