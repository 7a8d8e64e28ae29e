"""The goals of a site with what they had."""

import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client

from analytics import events
from analytics.models import Role
from goals.counting import rule_months
from goals.pages import drawings
from goals.pages.health import Health, health
from tests.factories import GoalFactory, store
from tests.goals.pages.browsing import member, text
from tests.queries import captured_queries

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(site):
    return member(site.team)


@pytest.fixture
def page(site, browser):
    return lambda query="": text(browser.get(f"/sites/{site.site_key}{query}"))


def days_ago(number):
    return datetime.now(UTC) - timedelta(days=number)


def test_goal_is_shown_with_its_rule_and_numbers(site, page):
    GoalFactory.create(
        site=site, name="Bought", type="custom", match_value="buy", currency="EUR"
    )
    for visitor in (1, 1, 2):
        store(site, "goal", "buy", visitor=visitor, amount=1234_5000, currency="EUR")
    store(site, "pageview", "/", visitor=3)
    shown = page()
    assert "Bought" in shown
    assert "the goal call <code>buy</code>" in shown
    assert "3,703.50\N{NO-BREAK SPACE}EUR" in shown
    # Two of three visitors, as the API's rate has it.
    assert "66.7\N{NO-BREAK SPACE}%" in shown
    assert "20.8\N{NO-BREAK SPACE}% \N{EN DASH} 93.9\N{NO-BREAK SPACE}%" in shown


def test_numbers_are_those_of_the_api(site, page, reader):
    goal = GoalFactory.create(site=site)
    for number in range(7):
        store(site, "event", "signup", visitor=number % 3)
    stats = f"/sites/{site.site_key}/goals/{goal.pk}"
    counted = reader("GET", f"{stats}/stats").json()["data"]
    rate = reader("GET", f"{stats}/rate").json()["data"]["rate"]
    assert (counted["conversions"], counted["unique_conversions"], rate) == (7, 3, 1.0)
    shown = page()
    for figure in ("7", "3", "100.0\N{NO-BREAK SPACE}%"):
        assert f">{figure}" in shown


def test_goal_without_conversions_is_shown(site, page):
    GoalFactory.create(site=site, name="Nobody", match_value="<never>")
    shown = page()
    assert "Nobody" in shown
    assert "the event <code>&lt;never&gt;</code>" in shown
    assert "never matched" in shown


def test_comparison_shows_the_change(site, page):
    GoalFactory.create(site=site)
    for ago in (1, 2, 3, 40):
        store(site, "event", "signup", at=days_ago(ago))
    shown = page("?compare=previous")
    assert "+200\N{NO-BREAK SPACE}%" in shown
    assert 'title="1 in the earlier period"' in shown
    assert "stroke-dasharray" in shown
    assert "stroke-dasharray" not in page()


@pytest.mark.parametrize(
    ("now", "before", "verdict"),
    [(40, 4, "more"), (4, 40, "fewer"), (11, 10, "cannot tell")],
)
def test_verdict_is_that_of_the_rates(site, page, reader, now, before, verdict):
    goal = GoalFactory.create(site=site)
    for ago, converters in ((1, now), (40, before)):
        for visitor in range(50):
            at = days_ago(ago)
            store(site, "pageview", "/", visitor=visitor, at=at)
            if visitor < converters:
                store(site, "event", "signup", visitor=visitor, at=at)
    assert f"</span>{verdict}</span>" in page("?compare=previous")
    rate = f"/sites/{site.site_key}/goals/{goal.pk}/rate?compare=previous"
    told = reader("GET", rate).json()["data"]["comparison"]["verdict"]
    assert told == verdict.replace(" ", "_")


def test_without_visitors_before_there_is_no_verdict(site, page):
    GoalFactory.create(site=site)
    store(site, "event", "signup")
    assert "no earlier data" in page("?compare=previous")
    assert "no earlier data" not in page()


def test_goal_that_nearly_everybody_satisfies_is_told(site, page):
    GoalFactory.create(site=site, type="pageview", match_value="/")
    for visitor in range(60):
        store(site, "pageview", "/", visitor=visitor)
    assert "matches almost everything" in page()


def test_star_is_set_by_its_button(site, page):
    goal = GoalFactory.create(site=site, name="Bought")
    editor = member(site.team, "editor", Role.EDITOR)
    shown = text(editor.get(f"/sites/{site.site_key}?period=7d"))
    assert 'aria-pressed="false"' in shown
    assert '<input type="hidden" name="query" value="period=7d">' in shown
    address = f"/sites/{site.site_key}/goals/{goal.pk}/star"
    answer = editor.post(address, {"starred": "1", "query": "period=7d"})
    assert answer.headers["Location"] == (
        f"/sites/{site.site_key}?period=7d#goal-{goal.pk}"
    )
    assert 'aria-pressed="true"' in text(editor.get(f"/sites/{site.site_key}"))
    # Who only looks sees it.
    assert 'aria-label="starred"' in page()
    editor.post(address, {"starred": "0"})
    assert 'aria-label="starred"' not in page()
    viewer = member(site.team, "other viewer")
    assert viewer.post(address, {"starred": "1"}).status_code == 403


def test_nothing_before_is_no_percentage(site, page):
    GoalFactory.create(site=site)
    store(site, "event", "signup")
    assert "no earlier data" in page("?compare=previous")


def test_filter_holds_for_all_numbers_and_can_be_removed(site, page):
    GoalFactory.create(site=site, name="Joined")
    store(site, "event", "signup", labels=events.Labels(country="DE"))
    store(site, "event", "signup", visitor=2, labels=events.Labels(country="FR"))
    shown = page("?country=DE")
    assert "Country: <code>DE</code>" in shown
    assert '<td class="number" data-label="Conversions">1</td>' in shown
    assert '<td class="number" data-label="Conversions">2</td>' in page()


def test_empty_fields_of_a_form_leave_the_address(site, browser):
    address = f"/sites/{site.site_key}"
    response = browser.get(f"{address}?period=7d&country=DE&device=&os=")
    assert response.headers["Location"] == f"{address}?period=7d&country=DE"


def test_forms_of_the_toolbar_carry_what_the_address_asks(page):
    shown = page("?compare=previous&country=DE&attribution=first&period=7d")
    days, _, filters = shown.partition('name="from"')
    for name, value in (("compare", "previous"), ("country", "DE")):
        assert f'<input type="hidden" name="{name}" value="{value}">' in days
    assert 'name="attribution" value="first"' in days
    assert '<option value="first" selected>' in filters
    assert 'name="compare" value="previous"' in filters
    assert "Remove the attribution setting" in filters
    assert "Remove the attribution setting" not in page("?country=DE")


@pytest.mark.parametrize("query", ["?period=x", "?compare=never", "?colour=red"])
def test_wrong_question_is_named(site, browser, query):
    assert browser.get(f"/sites/{site.site_key}{query}").status_code == 422


def test_call_of_the_api_has_the_same_parameters_and_no_key(site, page):
    shown = page("?period=7d&country=DE&compare=previous")
    assert (
        f"curl &quot;http://testserver/api/v1/analytics/sites/{site.site_key}"
        "/goals/stats?period=7d&amp;country=DE&quot;"
        " -H &quot;Authorization: Bearer YOUR_API_TOKEN&quot;"
    ) in shown


def test_table_as_csv(site, browser):
    GoalFactory.create(site=site, name="=HYPERLINK(1)")
    store(site, "event", "signup")
    response = browser.get(f"/sites/{site.site_key}/goals.csv?period=7d")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(response.getvalue().decode()))
    assert (row["name"], row["conversions"], row["rate"]) == (
        "'=HYPERLINK(1)",
        "1",
        "1.0",
    )
    assert row["last_match"] == datetime.now(UTC).date().isoformat()


def test_file_has_a_domain_of_any_script_in_its_name(site, browser):
    site.domain = "例え.example"
    site.save()
    response = browser.get(f"/sites/{site.site_key}/goals.csv?period=7d")
    name = response.headers["Content-Disposition"]
    assert name.startswith("attachment; filename*=utf-8''goals-%E4%BE%8B%E3%81%88.ex")


def test_csv_has_what_is_compared(site, browser):
    GoalFactory.create(site=site)
    for ago in (1, 2, 40):
        store(site, "event", "signup", at=days_ago(ago))
    response = browser.get(f"/sites/{site.site_key}/goals.csv?compare=previous")
    (row,) = csv.DictReader(io.StringIO(response.getvalue().decode()))
    assert (row["conversions"], row["conversions_before"]) == ("2", "1")
    assert row["verdict"] == "cannot_tell"


@pytest.mark.parametrize("asked", ["?compare=previous", "?period=12mo"])
def test_queries_do_not_grow_with_the_goals(site, page, asked, monkeypatch):
    # Of more rules the single days are not read at first.
    monkeypatch.setattr(rule_months, "_FEW_RULES", 1)

    def queries():
        page(asked)
        with captured_queries() as found:
            page(asked)
        return len(found)

    for ago in (0, 50, 80):
        store(site, "event", "signup", at=days_ago(ago))
        for number in range(20):
            store(site, "event", f"other {number}", at=days_ago(ago))
    for value in ("signup", "other 0"):
        GoalFactory.create(site=site, match_value=value)
    few = queries()
    for number in range(1, 20):
        GoalFactory.create(site=site, match_value=f"other {number}")
    assert queries() == few


def test_foreign_unknown_and_signed_out(site, strangers_site, browser):
    for path in ("", "/goals.csv"):
        assert browser.get(f"/sites/{strangers_site.site_key}{path}").status_code == 404
        assert browser.get(f"/sites/sk_unknownunkno{path}").status_code == 404
        address = f"/sites/{site.site_key}{path}"
        assert Client().get(address).headers["Location"] == f"/login?next={address}"
    assert browser.get(f"/sites/{site.site_key}%00").status_code == 404


# Whether a goal still matches

TODAY = date(2026, 11, 28)


def ago(*numbers):
    return [TODAY - timedelta(days=number) for number in numbers]


@pytest.mark.parametrize(
    ("days", "has_names", "expected"),
    [
        ((), False, Health("never")),
        ((), True, Health("none")),
        ((0, 1, 2, 3), True, Health("fine", TODAY, 0)),
        # Each day before, and quiet for a week since.
        ((7, 8, 9, 10), True, Health("silent", ago(7)[0], 7)),
        # Each fifth day: a week is nothing.
        ((7, 12, 17, 22), True, Health("fine", ago(7)[0], 7)),
        # Too few days to have a rhythm.
        ((20, 21), True, Health("fine", ago(20)[0], 20)),
    ],
)
def test_health_is_judged_by_the_goals_own_rhythm(days, has_names, expected):
    assert health(ago(*days), TODAY, has_names=has_names) == expected


# Drawings


def test_curve_reaches_from_edge_to_edge():
    drawn = drawings.curve([0, 5, 10])
    assert 'd="M0.0 30.0L60.0 16.0L120.0 2.0"' in drawn
    assert "dasharray" not in drawn
    assert "dasharray" in drawings.curve([1, 2], [0, 20])


def test_interval_is_drawn_to_scale():
    drawn = drawings.span(0.25, 0.5, 0.75, 1.0)
    assert 'cx="60.0"' in drawn
    assert "M32.0 8.0H88.0" in drawn


def test_bar_stays_within_its_width():
    assert 'width="50.0%"' in drawings.bar(0.5)
    assert 'width="100.0%"' in drawings.bar(7)
