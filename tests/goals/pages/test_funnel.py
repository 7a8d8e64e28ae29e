"""Funnels on a page, their steps in the address."""

import csv
import io

import pytest
from django.test import Client

from analytics.models import Role
from tests.factories import GoalFactory, store
from tests.goals.pages.browsing import member, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(site):
    return member(site.team)


@pytest.fixture
def address(site):
    return f"/sites/{site.site_key}/funnels"


@pytest.fixture
def journeys(site):
    """Four look, two put into the cart, one buys."""
    for visitor in (1, 2, 3, 4):
        store(site, "pageview", "/", visitor=visitor)
    for visitor in (1, 2):
        store(site, "pageview", "/cart", visitor=visitor)
    store(site, "goal", "buy", visitor=1)


def test_page_offers_goals_and_received_names(site, browser, address, journeys):
    goal = GoalFactory.create(site=site, name="Bought")
    shown = text(browser.get(address))
    assert "Choose at least two steps" in shown
    assert f'<option value="{goal.pk}" >Bought</option>' in shown
    assert '<option value="pageview:exact:/cart" >/cart</option>' in shown
    assert '<option value="custom:exact:buy" >buy</option>' in shown


def test_steps_of_the_address_are_counted_in_their_order(
    site, browser, address, journeys
):
    goal = GoalFactory.create(
        site=site, name="Bought", type="custom", match_value="buy"
    )
    query = f"?step=pageview:exact:/&step=pageview:contains:/cart&step={goal.pk}"
    shown = text(browser.get(address + query))
    assert "Of 4 visitors who began, <strong>1</strong> went all the way" in shown
    assert "<strong>25.0\N{NO-BREAK SPACE}%</strong>" in shown
    for label, number in (
        ("Visitors", "2"),
        ("Of the step before", "50.0\N{NO-BREAK SPACE}%"),
        ("Lost", "2"),
    ):
        assert f'<td class="number" data-label="{label}">{number}</td>' in shown
    assert f'goals/{goal.pk}">Bought</a>' in shown
    assert 'width="25.0%"' in shown
    # The rule that nobody offered stays chosen.
    assert '<option value="pageview:contains:/cart" selected>' in shown


def test_numbers_are_those_of_the_api(site, browser, address, journeys, reader):
    rule = {"match_type": "exact"}
    steps = [
        {"type": "pageview", "match_value": "/", **rule},
        {"type": "pageview", "match_value": "/cart", **rule},
    ]
    body = {"steps": steps, "window_minutes": 5}
    found = reader("POST", f"/sites/{site.site_key}/funnels/query", body).json()["data"]
    assert [step["visitors"] for step in found["steps"]] == [4, 2]
    query = "?step=pageview:exact:/&step=pageview:exact:/cart&window_minutes=5"
    shown = text(browser.get(address + query))
    assert "Of 4 visitors who began, <strong>2</strong> went all the way" in shown
    assert "Within 5 minutes of the first step." in shown


def test_empty_fields_leave_the_address_and_steps_stay(browser, address):
    query = "?period=7d&step=pageview:exact:/&step=event:exact:b&step=&window_minutes="
    kept = "?period=7d&step=pageview:exact:/&step=event:exact:b"
    assert browser.get(address + query).headers["Location"] == address + kept


def test_value_of_a_rule_may_hold_colons(site, browser, address):
    store(site, "event", "a:b")
    query = "?step=event:exact:a:b&step=event:exact:a:b"
    assert "Of 1 visitors who began" in text(browser.get(address + query))


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("step=x&step=y", "steps"),
        ("step=pageview:regex:(&step=pageview:exact:/", "steps"),
        ("step=pageview:exact:/&step=pageview:exact:/&window_minutes=0", "window"),
        ("step=pageview:exact:/&step=pageview:exact:/&window_minutes=x", "window"),
        ("step=pageview:exact:/&step=pageview:exact:/&period=x", "period"),
        ("step=pageview:exact:/&step=pageview:exact:/&shoe=1", "shoe"),
        ("&".join(["step=pageview:exact:/"] * 9), "steps"),
    ],
)
def test_wrong_question_is_named(browser, address, query, named):
    response = browser.get(f"{address}?{query}")
    assert response.status_code == 422
    assert f"<code>{named}" in text(response)


def test_foreign_goal_is_no_step(site, strangers_site, browser, address):
    foreign = GoalFactory.create(site=strangers_site)
    query = f"?step={foreign.pk}&step=pageview:exact:/"
    assert browser.get(address + query).status_code == 422


def test_foreign_and_signed_out(strangers_site, address):
    assert member(strangers_site.team).get(address).status_code == 404
    assert Client().get(address).status_code == 302


def test_funnel_is_saved_with_a_name_and_deleted(site):
    goal = GoalFactory.create(site=site)
    editor = member(site.team, "editor", Role.EDITOR)
    query = f"step=pageview:exact:/a%20b&step={goal.pk}&window_minutes=30"
    page = f"/sites/{site.site_key}/funnels"
    shown = text(editor.get(f"{page}?{query}"))
    assert '<input type="hidden" name="step" value="pageview:exact:/a b">' in shown
    form = {
        "name": "<Way>",
        "step": ["pageview:exact:/a b", str(goal.pk)],
        "window_minutes": "30",
        "query": query,
    }
    answer = editor.post(f"{page}/save", form)
    assert answer.headers["Location"] == f"{page}?{query}"
    viewer = member(site.team, "viewer")
    listed = text(viewer.get(page))
    link = f"?step=pageview:exact:/a%20b&amp;step={goal.pk}&amp;window_minutes=30"
    assert f'<a href="{link}">&lt;Way&gt;</a>' in listed
    assert "went all the way" in text(viewer.get(page + link.replace("&amp;", "&")))
    assert "Delete the saved funnel" not in listed
    (saved,) = site.funnels.all()
    assert viewer.post(f"{page}/{saved.pk}/delete").status_code == 403
    assert editor.post(f"{page}/{saved.pk}/delete").status_code == 302
    assert not site.funnels.exists()
    assert editor.post(f"{page}/{saved.pk}/delete").status_code == 404


def test_funnel_without_a_name_is_not_saved(site):
    editor = member(site.team, "editor", Role.EDITOR)
    form = {"name": " ", "step": ["pageview:exact:/", "event:exact:a"], "query": ""}
    page = f"/sites/{site.site_key}/funnels"
    told = text(editor.post(f"{page}/save", form, follow=True))
    assert "It was not saved" in told
    assert not site.funnels.exists()


def test_funnel_as_csv(site):
    store(site, "pageview", "/")
    page = f"/sites/{site.site_key}/funnels"
    query = "step=pageview:exact:/&step=event:exact:a&as=csv"
    answer = member(site.team, "viewer").get(f"{page}?{query}")
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert [(row["match_value"], row["visitors"]) for row in rows] == [
        ("/", "1"),
        ("a", "0"),
    ]
