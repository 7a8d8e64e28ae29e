"""What a site sends, and the way from a name to a goal."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from analytics.models import Role
from tests.factories import GoalFactory, store
from tests.goals.pages.browsing import member, text
from tests.queries import captured_queries

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(site):
    return member(site.team, role=Role.EDITOR)


@pytest.fixture
def address(site):
    return f"/sites/{site.site_key}/names"


@pytest.fixture
def sent(site):
    """Two names that a goal counts, and one that none does."""
    GoalFactory.create(site=site, name="Joined", match_value="signup")
    store(site, "event", "signup")
    for visitor in (1, 2, 2):
        store(site, "goal", "buy & go", visitor=visitor)


def test_names_that_no_goal_counts_lead_to_one(site, browser, address, sent):
    shown = text(browser.get(f"{address}?unmatched=true"))
    assert "<code>buy &amp; go</code>" in shown
    assert "signup" not in shown
    link = (
        f"/sites/{site.site_key}/goals/new?type=custom&amp;match_type=exact"
        "&amp;match_value=buy%20%26%20go&amp;name=buy%20%26%20go"
    )
    assert link in shown
    form = text(browser.get(link.replace("&amp;", "&")))
    assert 'name="match_value" value="buy &amp; go"' in form


def test_everything_names_the_goals(site, browser, address, sent):
    shown = text(browser.get(address))
    assert ">Joined</a>" in shown
    assert "<code>buy &amp; go</code>" in shown


def test_goals_page_has_the_part_and_its_link(site, browser, address):
    shown = text(browser.get(f"/sites/{site.site_key}?period=7d&country=DE"))
    part = f"{address}?period=7d&amp;unmatched=true"
    assert f'data-part="{part}"><a href="{part}">' in shown


def test_script_gets_the_part_alone(browser, address, sent):
    whole = browser.get(address)
    alone = browser.get(address, headers={"X-Part": "1"})
    assert whole.headers["Vary"].count("X-Part") == 1
    assert "<html" in text(whole)
    assert "<html" not in text(alone)
    assert "<code>buy &amp; go</code>" in text(alone)


def test_rarer_names_are_on_the_next_page(site, browser, address):
    for number in range(3):
        for _ in range(3 - number):
            store(site, "event", f"name {number}")
    first = text(browser.get(f"{address}?limit=2"))
    assert "name 1" in first
    assert "name 2" not in first
    cursor = first.partition("cursor=")[2].partition('"')[0]
    second = text(browser.get(f"{address}?limit=2&cursor={cursor}"))
    assert "name 2" in second
    assert "name 1" not in second


def test_file_has_all_names(site, browser, address, sent):
    for number in range(12):
        store(site, "event", f"name {number}")
    answer = browser.get(f"{address}?as=csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert len(rows) == 14
    assert rows[0] == {
        "type": "goal",
        "name": "buy & go",
        "events": "3",
        "visitors": "2",
        "first_seen": datetime.now(UTC).date().isoformat(),
        "last_seen": datetime.now(UTC).date().isoformat(),
        "goals": "",
    }
    assert {row["goals"] for row in rows} == {"", "Joined"}


def test_viewer_is_offered_no_goal(site, address, sent):
    viewer = member(site.team, "viewer")
    assert "Create a goal" not in text(viewer.get(address))


def test_other_days_have_other_names(site, browser, address):
    store(site, "event", "old", at=datetime.now(UTC) - timedelta(days=20))
    assert "<code>old</code>" not in text(browser.get(f"{address}?period=7d"))
    assert "<code>old</code>" in text(browser.get(f"{address}?period=30d"))


@pytest.mark.parametrize("query", ["?sort=x", "?limit=101", "?country=DE", "?as=x"])
def test_wrong_question_is_named(browser, address, query):
    assert browser.get(f"{address}{query}").status_code == 422


def test_queries_do_not_grow_with_goals_and_names(site, browser, address):
    def queries():
        browser.get(address)
        with captured_queries() as found:
            browser.get(address)
        return len(found)

    GoalFactory.create(site=site)
    store(site, "event", "signup")
    one = queries()
    for number in range(8):
        store(site, "event", f"other {number}")
        GoalFactory.create(site=site, match_value=f"other {number}")
    assert queries() == one


def test_stranger_finds_nothing(strangers_site, browser):
    assert browser.get(f"/sites/{strangers_site.site_key}/names").status_code == 404
