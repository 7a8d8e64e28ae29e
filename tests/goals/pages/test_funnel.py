"""Funnels on a page, their steps in the address."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from analytics.events import Labels
from analytics.models import Role
from goals.reports import funnels
from goals.templatetags import figures
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
    assert (
        "Of 4 visitors who reached the first step, <strong>1</strong> completed"
        in shown
    )
    assert "<strong>25.0\N{NO-BREAK SPACE}%</strong>" in shown
    for label, number in (
        ("Visitors", "2"),
        ("Share of the previous step", "50.0\N{NO-BREAK SPACE}%"),
        ("Lost", "2"),
    ):
        assert f'<td class="number" data-label="{label}">{number}</td>' in shown
    assert f'goals/{goal.pk}">Bought</a>' in shown
    assert 'width="25.0%"' in shown
    # The rule that nobody offered stays chosen.
    assert '<option value="pageview:contains:/cart" selected>' in shown


STEPS = "step=pageview:exact:/&step=pageview:exact:/cart"


@pytest.fixture
def arrivals(site):
    """Three come from a search, one from a campaign; two of them buy, one later."""
    noon = datetime.now(UTC) - timedelta(days=1)
    noon = noon.replace(hour=12, minute=0, second=0, microsecond=0)
    for visitor, labels in enumerate(
        (
            Labels("www.google.com", country="DE"),
            Labels("www.google.com", country="FR"),
            Labels("www.google.com"),
            Labels(utm_source="mail", country="DE"),
        )
    ):
        own = {"visitor": visitor, "labels": labels, "props": {"plan": f"p{visitor}"}}
        store(site, "pageview", "/", at=noon, **own)
        if visitor < 2:
            later = noon + timedelta(minutes=2 + 60 * visitor)
            store(site, "pageview", "/cart", at=later, visitor=visitor)


def cells(shown, label):
    return re.findall(f'data-label="{label}">(.*?)</td>', shown)


def test_each_step_has_its_median_time(browser, address, arrivals):
    shown = text(browser.get(f"{address}?{STEPS}"))
    took = "2\N{NO-BREAK SPACE}min"
    assert cells(shown, "Median time since the previous step") == ["\N{EN DASH}", took]


def test_filters_of_the_address_are_of_the_first_step(browser, address, arrivals):
    page = f"{address}?{STEPS}&country=DE&referrer=google&attribution=first"
    shown = text(browser.get(page))
    assert cells(shown, "Visitors") == ["1", "1"]
    assert 'Country: <code>DE</code> <a href="?' in shown
    assert 'name="country" value="DE"' in shown
    # Every form of the page carries the steps and the filters along.
    forms = re.findall(r'<form method="get".*?</form>', shown, re.DOTALL)
    assert len(forms) == 4
    for form in forms:
        assert form.count('value="pageview:exact:/cart"') >= 1
        for name in ("country", "referrer", "attribution"):
            assert f'name="{name}"' in form
    shown = text(browser.get(f"{address}?{STEPS}&props.plan=p0,p3"))
    assert cells(shown, "Visitors") == ["2", "1"]
    assert "props.plan: <code>p0,p3</code>" in shown
    assert shown.count('name="props.plan" value="p0,p3"') == 4


def test_first_steps_are_broken_down_by_a_dimension(browser, address, arrivals):
    shown = text(browser.get(f"{address}?{STEPS}"))
    assert "All the way" not in shown
    shown = text(browser.get(f"{address}?{STEPS}&dimension=referrer"))
    assert "By Source: 2 of 2 values." in shown
    assert cells(shown, "Step 1") == ["3", "1"]
    assert cells(shown, "Step 2") == ["2", "0"]
    assert cells(shown, "All the way") == [
        "66.7\N{NO-BREAK SPACE}%",
        "0.0\N{NO-BREAK SPACE}%",
    ]
    assert "direct, no source" in shown
    assert 'dimension=referrer#from" aria-current="true"' in shown
    answer = browser.get(f"{address}?{STEPS}&dimension=referrer&as=breakdown-csv")
    assert answer.getvalue().decode().splitlines()[2] == "(none),1,0,0.0"


def test_values_that_are_not_shown_are_summed(browser, address, arrivals, monkeypatch):
    monkeypatch.setattr(funnels, "MOST_VALUES", 1)
    page = f"{address}?{STEPS}&dimension=props.plan"
    shown = text(browser.get(page))
    assert "By props.plan: 1 of 4 values." in shown
    assert "3 more values" in shown
    assert cells(shown, "Step 1") == ["1", "3"]
    answer = browser.get(f"{page}&as=breakdown-csv")
    assert answer.getvalue().decode().splitlines() == [
        "value,step_1,step_2,share_of_first",
        "p0,1,1,1.0",
        "(other),3,1,0.333333",
    ]


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
    assert (
        "Of 4 visitors who reached the first step, <strong>2</strong> completed"
        in shown
    )
    assert "Within 5 minutes of the first step." in shown


def test_empty_fields_leave_the_address_and_steps_stay(browser, address):
    query = "?period=7d&step=pageview:exact:/&step=event:exact:b&step=&window_minutes="
    kept = "?period=7d&step=pageview:exact:/&step=event:exact:b"
    assert browser.get(address + query).headers["Location"] == address + kept


def test_value_of_a_rule_may_hold_colons(site, browser, address):
    store(site, "event", "a:b")
    query = "?step=event:exact:a:b&step=event:exact:a:b"
    assert "Of 1 visitors who reached the first step" in text(
        browser.get(address + query)
    )


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("step=x&step=y", "steps"),
        ("step=pageview:regex:(&step=pageview:exact:/", "steps"),
        ("step=pageview:exact:/&step=pageview:exact:/&window_minutes=0", "window"),
        ("step=pageview:exact:/&step=pageview:exact:/&window_minutes=x", "window"),
        ("step=pageview:exact:/&step=pageview:exact:/&period=x", "period"),
        ("step=pageview:exact:/&step=pageview:exact:/&shoe=1", "shoe"),
        (f"{STEPS}&steps=x", "steps"),
        (f"{STEPS}&dimension=shoe", "dimension"),
        (f"{STEPS}&country=Germany", "country"),
        (f"{STEPS}&country=DE&country=FR", "country"),
        (f"{STEPS}&as=breakdown-csv", "as"),
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
    assert "completed the funnel" in text(viewer.get(page + link.replace("&amp;", "&")))
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
    assert "The funnel was not saved" in told
    assert not site.funnels.exists()


def test_funnel_as_csv(site):
    store(site, "pageview", "/")
    page = f"/sites/{site.site_key}/funnels"
    store(site, "event", "a", at=datetime.now(UTC) + timedelta(seconds=9))
    query = "step=pageview:exact:/&step=event:exact:a&as=csv"
    answer = member(site.team, "viewer").get(f"{page}?{query}")
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    columns = ("match_value", "visitors", "median_seconds")
    assert [[row[column] for column in columns] for row in rows] == [
        ["/", "1", ""],
        ["a", "1", "9"],
    ]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "\N{EN DASH}"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (3_600, "1 h"),
        (12_059, "3 h 20 min"),
    ],
)
def test_time_is_written_for_people(seconds, shown):
    assert figures.duration(seconds).replace("\N{NO-BREAK SPACE}", " ") == shown
