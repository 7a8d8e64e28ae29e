"""All sites of a person, and signing in to them."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from analytics.lifecycle import prune
from analytics.models import Role
from goals.pages import sites
from krafter.errors import Unavailable
from tests.factories import GoalFactory, SiteFactory, TeamFactory, store
from tests.goals.pages.browsing import POLICY, browser_of, member, text
from tests.queries import captured_queries

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(site):
    return member(site.team)


def test_signed_out_leads_to_sign_in_and_back(site):
    user = User.objects.create_user("ada", password="a long password")
    site.team.memberships.create(user=user, role=Role.VIEWER)
    client = Client()
    assert (
        client.get("/?period=7d").headers["Location"] == "/login?next=/%3Fperiod%3D7d"
    )
    form = {"username": "ada", "password": "a long password", "next": "/?period=7d"}
    assert client.post("/login", form).headers["Location"] == "/?period=7d"
    assert "example.com" in text(client.get("/?period=7d"))
    assert client.post("/logout").headers["Location"] == "/login"
    assert client.get("/").status_code == 302


def test_wrong_password_is_told_and_counted(site, settings):
    settings.RATE_LIMIT_SIGN_IN = 2
    form = {"username": "ada", "password": "wrong"}
    client = Client()
    assert "correct username and password" in text(client.post("/login", form))
    statuses = {client.post("/login", form).status_code for _ in range(4)}
    assert 429 in statuses


def test_site_shows_visitors_goals_and_its_last_event(site, browser):
    GoalFactory.create(site=site, name="Joined")
    for visitor in (1, 2, 3):
        store(site, "event", "signup", visitor=visitor)
    shown = text(browser.get("/"))
    assert f'<a href="/sites/{site.site_key}">example.com</a>' in shown
    assert "<dd>3 <small" in shown
    assert '>Joined</a></th><td class="number">3</td>' in shown
    assert "Last event" in shown
    assert "No event yet" not in shown


def test_period_is_the_addresss(site, browser):
    store(site, "event", "signup", at=datetime.now(UTC) - timedelta(days=20))
    assert "<dd>1 <small" in text(browser.get("/?period=30d"))
    week = text(browser.get("/?period=7d"))
    assert "<dd>0 <small" in week
    assert '<a data-key="1" href="?period=7d" aria-current="true">' in week


def test_days_to_compare_with_may_be_sealed(site, browser, monkeypatch):
    monkeypatch.setattr(prune, "GRACE_SECONDS", 0)
    GoalFactory.create(site=site, name="Joined")
    now = datetime.now(UTC)
    for ago in (1, 200, 400):
        store(site, "event", "signup", at=now - timedelta(days=ago), visitor=ago)
    site.retention_months = 1
    site.save()
    assert prune.prune(site).deleted == 2
    # Until this time of a sealed day nothing was kept.
    shown = text(browser.get("/?period=12mo"))
    assert re.search(r"<dd>2\b", shown)
    assert '>Joined</a></th><td class="number">2</td>' in shown
    assert "<dd>1 <small" in text(browser.get("/?period=7d"))
    file = browser.get("/?period=12mo&as=csv").getvalue().decode("utf-8-sig")
    [row] = csv.DictReader(io.StringIO(file, newline=""))
    assert (row["conversions"], row["conversions_before"]) == ("2", "")


def test_goals_with_a_star_are_shown_with_their_change(site, browser, writer):
    for number in range(8):
        GoalFactory.create(site=site, name=f"Goal {number}", match_value=str(number))
    chosen = site.goals.get(name="Goal 7")
    for ago in (1, 2, 3, 40):
        at = datetime.now(UTC) - timedelta(days=ago)
        store(site, "event", "7", at=at)
    shown = text(browser.get("/"))
    assert "Goal 5" in shown
    assert "Goal 7" not in shown
    assert "and 2 more goals" in shown
    writer("POST", f"/sites/{site.site_key}/goals/{chosen.pk}/star")
    shown = text(browser.get("/"))
    assert "Goal 7" in shown
    assert "Goal 5" not in shown
    assert "+200\N{NO-BREAK SPACE}%" in shown


def test_silent_site_and_goals_without_a_match_are_told(site, browser):
    GoalFactory.create(site=site, match_value="never")
    for ago in (9, 10, 11, 12):
        store(site, "pageview", "/", at=datetime.now(UTC) - timedelta(days=ago))
    shown = text(browser.get("/"))
    assert "never matched" in shown
    assert "silent since" in shown


def test_sites_as_csv(site, browser):
    GoalFactory.create(site=site, name="Joined")
    store(site, "event", "signup")
    empty = SiteFactory.create(team=site.team)
    answer = browser.get("/?as=csv&period=7d")
    assert "sites.csv" in answer.headers["Content-Disposition"]
    first, second = csv.DictReader(io.StringIO(answer.getvalue().decode()))
    assert (first["site_key"], first["visitors"]) == (site.site_key, "1")
    assert (first["goal"], first["conversions"]) == ("Joined", "1")
    assert first["conversions_before"] == "0"
    assert first["to"] == datetime.now(UTC).date().isoformat()
    assert (second["site_key"], second["visitors"]) == (empty.site_key, "")


def test_site_without_events_says_so(site, browser):
    assert "No event yet" in text(browser.get("/"))


def test_other_teams_sites_are_not_shown(site, strangers_site, browser):
    shown = text(browser.get("/"))
    assert site.domain in shown
    assert strangers_site.domain not in shown


def test_operator_sees_all_teams(site, strangers_site):
    shown = text(browser_of(User.objects.create_superuser("operator")).get("/"))
    assert site.domain in shown
    assert strangers_site.domain in shown


def test_person_without_sites_is_told_what_to_do(db):
    assert "No site yet" in text(member(TeamFactory.create()).get("/"))


def test_deleted_site_is_not_shown(site, browser):
    site.deleted_at = datetime.now(UTC)
    site.save()
    assert site.domain not in text(browser.get("/"))


def test_site_that_is_being_counted_holds_up_nothing(site, browser, monkeypatch):
    store(site, "event", "signup")

    def refuse(*args, **options):
        raise Unavailable("Counting")

    monkeypatch.setattr(sites, "goals_of", refuse)
    shown = text(browser.get("/"))
    assert "counting…" in shown
    assert '<meta http-equiv="refresh" content="5">' in shown


def test_queries_do_not_grow_with_the_goals(site, browser):
    def queries():
        with captured_queries() as found:
            assert browser.get("/").status_code == 200
        return len(found)

    store(site, "event", "signup")
    GoalFactory.create(site=site)
    browser.get("/")
    one = queries()
    for number in range(20):
        GoalFactory.create(site=site, match_value=f"other {number}")
    browser.get("/")
    assert queries() == one


def test_many_sites_are_shown_in_parts(site, browser, monkeypatch):
    monkeypatch.setattr(sites, "_SITES_SHOWN", 2)
    for _ in range(2):
        SiteFactory.create(team=site.team)
    assert "Page 1 of 2" in text(browser.get("/"))
    second = text(browser.get("/?page=2&period=7d"))
    assert "Page 2 of 2" in second
    assert 'href="?period=7d&amp;page=1"' in second


@pytest.mark.parametrize(
    "query", ["period=tomorrow", "period=7d&period=30d", "unknown=1", "page=%00"]
)
def test_wrong_address_is_named(browser, query):
    response = browser.get(f"/?{query}")
    assert response.status_code == 422
    assert f"<code>{query.partition('=')[0]}</code>" in text(response)


def test_policy_allows_nothing_inline(site, browser):
    response = browser.get("/")
    assert response.headers["Content-Security-Policy"] == POLICY
    assert response.headers["Cache-Control"] == "private, no-cache"
    shown = text(response)
    assert "style=" not in shown
    assert "<style" not in shown
    assert " onclick" not in shown


def test_page_is_compressed(site, browser):
    response = browser.get("/", headers={"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.content[:2] == b"\x1f\x8b"


def test_names_are_shown_as_text(site, browser):
    site.name = "<script>alert(1)</script>"
    site.save()
    shown = text(browser.get("/"))
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert(1)" in shown
