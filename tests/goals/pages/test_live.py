"""The last 30 minutes of a site, and the wait for the first event."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from analytics import events
from analytics.ingest.pipeline import RULES
from analytics.models import Role
from goals.pages.live import REASONS
from tests.factories import GoalFactory, store
from tests.goals.pages.browsing import member, text
from tests.queries import captured_queries

pytestmark = pytest.mark.django_db

PART = {"X-Part": "1"}


@pytest.fixture
def browser(site):
    return member(site.team, role=Role.EDITOR)


@pytest.fixture
def live(site):
    return f"/sites/{site.site_key}/live"


@pytest.fixture
def install(site):
    return f"/sites/{site.site_key}/install"


def minutes_ago(number):
    return datetime.now(UTC) - timedelta(minutes=number)


def test_what_came_is_shown_with_the_goals_that_count_it(site, browser, live):
    GoalFactory.create(site=site, name="Joined")
    GoalFactory.create(site=site, name="Other", match_value="other")
    store(site, "event", "signup", labels=events.Labels(referrer="Google"))
    store(site, "pageview", "/new", visitor=2)
    store(site, "pageview", "/old", at=minutes_ago(31))
    shown = text(browser.get(live))
    assert "<dt>visitors</dt><dd>2</dd>" in shown
    assert "<dt>page views</dt><dd>1</dd>" in shown
    assert '<span class="tag good">Joined</span>' in shown
    assert '<span class="tag good">Other</span>' not in shown
    assert "Google" in shown
    assert "/old" not in shown


def test_drops_are_shown_with_their_reason(browser, live, install, track):
    track({"type": "pageview", "url": "https://elsewhere.example/"})
    for page in (live, install):
        shown = text(browser.get(page))
        assert "1 event from pages on an unknown host" in shown
    assert "Waiting for the first event" in text(browser.get(install))


def test_foreign_host_is_named_and_allowed(site, browser, live, track):
    for _ in range(2):
        track({"type": "pageview", "url": "https://Elsewhere.example:8443/"})
    viewer = member(site.team, "viewer")
    told = "2 events from elsewhere.example were refused: unknown host."
    assert told in text(viewer.get(live))
    assert "Allow elsewhere.example" not in text(viewer.get(live))
    assert 'form="allow" name="host" value="elsewhere.example"' in text(
        browser.get(live, headers=PART)
    )
    address = f"/sites/{site.site_key}/allow-host"
    form = {"host": "elsewhere.example", "back": "install"}
    assert viewer.post(address, form).status_code == 403
    answer = browser.post(address, form)
    assert answer.headers["Location"] == f"/sites/{site.site_key}/install"
    site.refresh_from_db()
    assert site.allowed_hosts == ["elsewhere.example"]
    assert "refused: unknown host" not in text(browser.get(live))
    wrong = browser.post(address, {"host": "no host"}, follow=True)
    assert '<p class="note error">' in text(wrong)
    site.refresh_from_db()
    assert site.allowed_hosts == ["elsewhere.example"]


def test_nothing_new_is_not_sent_again(site, browser, live):
    first = browser.get(live, headers=PART)
    assert "<html" not in text(first)
    again = {**PART, "If-None-Match": first.headers["ETag"]}
    assert browser.get(live, headers=again).status_code == 304
    store(site, "pageview", "/")
    assert browser.get(live, headers=again).status_code == 200


def test_compressed_part_is_not_sent_again_either(site, browser, live):
    for number in range(30):
        store(site, "pageview", f"/{number}")
    packed = {**PART, "Accept-Encoding": "gzip"}
    first = browser.get(live, headers=packed)
    assert first.headers["Content-Encoding"] == "gzip"
    again = {**packed, "If-None-Match": first.headers["ETag"]}
    assert browser.get(live, headers=again).status_code == 304


def test_test_event_is_not_offered_as_a_goal(site, browser, install):
    name = re.findall('data-name="([^"]+)"', text(browser.get(install)))[0]
    store(site, "event", name)
    shown = text(browser.get(install, headers=PART))
    assert "Only the test event has arrived." in shown
    assert "Create a goal" not in shown
    store(site, "event", "signup")
    shown = text(browser.get(install, headers=PART))
    assert "match_value=signup" in shown
    assert f"match_value={name.partition(' ')[0]}" not in shown


def test_first_events_are_offered_as_goals(site, browser, install):
    store(site, "goal", "buy now&more")
    shown = text(browser.get(install, headers=PART))
    assert "Events are arriving." in shown
    query = "?type=custom&amp;match_type=exact&amp;match_value=buy%20now%26more"
    assert f'href="/sites/{site.site_key}/goals/new{query}' in shown


def test_number_of_queries_is_fixed(site, browser, live):
    def queries():
        with captured_queries() as found:
            browser.get(live)
        return len(found)

    store(site, "event", "signup")
    GoalFactory.create(site=site)
    queries()  # Fills what the process remembers.
    one = queries()
    for number in range(20):
        store(site, "event", f"signup {number}")
        GoalFactory.create(site=site, match_value=f"signup {number}")
    assert queries() == one


def test_each_rule_that_drops_has_a_reason_in_words():
    assert set(REASONS) == set(RULES) - {"unknown_site"}
