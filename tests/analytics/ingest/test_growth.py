"""What strangers may add to a site in a day: names and labels, and `(other)` beyond."""

import logging
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine

from analytics import events
from analytics.models import Context, Event, EventName, Growth, ReservedName
from goals.models import Goal
from tests.conftest import BROWSER
from tests.factories import GoalFactory, SiteFactory
from tests.queries import captured_queries

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
LIMIT = 3


@pytest.fixture(autouse=True)
def clock(settings):
    settings.MAX_NEW_PATHS = settings.MAX_NEW_NAMES = settings.MAX_NEW_LABELS = LIMIT
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def visit(track):
    """Send events, each in a request of its own."""

    def visit(*sent, **headers):
        for event in sent:
            response = track(event, {"User-Agent": BROWSER, **headers})
            assert response.json() == {"ok": True, "dropped": None}

    return visit


def view(path, **fields):
    return {"type": "pageview", "url": f"https://example.com{path}", **fields}


def named(name, **fields):
    return {"type": "event", "name": name, **fields}


def stored():
    return list(Event.objects.order_by("pk").values_list("name__name", flat=True))


def folded(reader, site, period="period=7d"):
    answer = reader("GET", f"/sites/{site.site_key}/drops?{period}").json()["data"]
    return {each["kind"]: each["count"] for each in answer["folded"]}


def test_new_paths_beyond_the_limit_are_other_and_counted(visit, reader, site, caplog):
    visit(*(view(f"/{number}") for number in range(6)))
    assert stored() == ["/0", "/1", "/2", *["(other)"] * 3]
    assert EventName.objects.count() == LIMIT + 1
    assert folded(reader, site) == {"paths": 3, "names": 0, "labels": 0}
    growth = Growth.objects.get(kind="paths")
    assert (growth.site_id, growth.day, growth.made) == (site.pk, date(2026, 3, 10), 3)


def test_names_seen_before_always_pass(visit):
    visit(*(view(f"/{number}") for number in range(6)))
    events.forget()
    visit(view("/1"), view("/9"), view("/0"))
    assert stored()[6:] == ["/1", "(other)", "/0"]


def test_next_day_has_a_limit_of_its_own(visit, clock):
    visit(*(view(f"/{number}") for number in range(4)))
    clock.shift(timedelta(days=1))
    visit(view("/new"))
    assert stored()[3:] == ["(other)", "/new"]


def test_other_sites_and_other_kinds_have_limits_of_their_own(visit, track):
    visit(*(view(f"/{number}") for number in range(5)))
    visit(*(named(f"event {number}") for number in range(4)))
    visit({"type": "goal", "name": "one"})
    assert stored()[5:] == ["event 0", "event 1", "event 2", "(other)", "(other)"]
    other = SiteFactory.create(domain="example.com")
    track({**view("/there"), "site": other.site_key})
    assert stored()[-1] == "/there"


def test_page_of_an_event_counts_as_a_path(visit):
    visit(*(named("x", url=f"https://example.com/{number}") for number in range(5)))
    pages = Event.objects.order_by("pk").values_list("page__name", flat=True)
    assert list(pages) == ["/0", "/1", "/2", "(other)", "(other)"]
    assert stored() == ["x"] * 5


def test_one_batch_is_bounded_as_many_are(owner, site):
    batch = [named(f"n{number % 6}", visitor_id="v") for number in range(12)]
    response = owner("POST", f"/sites/{site.site_key}/events", {"events": batch})
    assert {each["status"] for each in response.json()["data"]} == {"accepted"}
    assert Counter(stored()) == {"n0": 2, "n1": 2, "n2": 2, "(other)": 6}


def test_texts_of_urls_are_folded_first_and_the_rest_of_the_labels_stays(visit, reader):
    visit(*(view(f"/?utm_source=s{number}") for number in range(5)))
    labels = Event.objects.order_by("pk").values_list(
        "context__utm_source", "context__utm_medium", "context__browser"
    )
    assert list(labels) == [
        *((f"s{number}", "", "Firefox") for number in range(3)),
        *[("(other)", "", "Firefox")] * 2,
    ]


def test_user_agents_that_nobody_has_cannot_go_on_for_ever(visit, reader, site):
    # The family of such a browser is in the string itself.
    agents = [
        f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/1{n}.0.0.0 "
        f"Safari/537.36 {word}"
        for n, word in enumerate(["OPR/9", "Vivaldi/9", "Edg/9", "YaBrowser/9", ""])
    ]
    for turn in range(4):
        for agent in agents:
            visit(view(f"/?utm_source=s{turn}{agent}"), **{"User-Agent": agent})
    made = Growth.objects.get(kind="labels").made
    assert made <= 2 * LIMIT
    assert Context.objects.count() <= made + 2
    assert Event.objects.count() == 20
    assert folded(reader, site)["labels"] > 0


def test_combination_seen_before_always_passes(visit):
    visit(*(view(f"/?utm_source=s{number}") for number in range(5)))
    events.forget()
    visit(view("/?utm_source=s1"))
    assert Event.objects.latest("pk").context.utm_source == "s1"


def test_exact_goal_cannot_be_turned_into_other(visit, owner, site):
    path = f"/sites/{site.site_key}/goals"
    rule = {"name": "Bought", "match_type": "exact", "currency": None}
    goals = [
        owner("POST", path, {**rule, "type": type, "match_value": value}).json()
        for type, value in (("pageview", "/thanks"), ("event", "buy"), ("custom", "b"))
    ]
    visit(*(view(f"/{number}") for number in range(5)))
    visit(*(named(f"n{number}") for number in range(5)))
    visit(view("/thanks"), named("buy"), {"type": "goal", "name": "b"})
    for goal in goals:
        stats = owner("GET", f"{path}/{goal['data']['id']}/stats").json()["data"]
        assert stats["conversions"] == 1


def test_changed_and_applied_goals_pass_too(visit, owner, site):
    goal = GoalFactory.create(site=site, type="pageview", match_value="/old")
    path = f"/sites/{site.site_key}/goals"
    owner("PATCH", f"{path}/{goal.id}", {"match_value": "/patched"})
    rule = {"type": "pageview", "match_type": "exact", "currency": None}
    applied = [
        {**rule, "name": "Signup", "match_value": "/applied"},
        {**rule, "name": "Second", "match_value": "/second"},
        {**rule, "name": "Third", "match_value": "/con", "match_type": "contains"},
    ]
    assert owner("POST", f"{path}/apply", {"goals": applied}).status_code == 200
    assert Goal.objects.undeleted().count() == 3
    # Reserved is not sent.
    assert not EventName.objects.exists()
    visit(*(view(f"/{number}") for number in range(LIMIT)))
    paths = ("/patched", "/applied", "/second", "/con", "/old")
    visit(*(view(path) for path in paths))
    assert stored()[LIMIT:] == ["/patched", "/applied", "/second", *["(other)"] * 2]


def test_reserved_names_of_a_batch_are_looked_up_once(owner, site):
    GoalFactory.create(site=site, type="event", match_value="buy")
    events.reserve(site.pk, {("event", "buy")})
    batch = [named(f"n{number}", visitor_id="v") for number in range(20)]
    sent = {"events": [*batch, named("buy", visitor_id="v")]}
    with captured_queries() as captured:
        owner("POST", f"/sites/{site.site_key}/events", sent)
    assert stored()[LIMIT:] == [*["(other)"] * (20 - LIMIT), "buy"]
    assert sum("reservedname" in sql for sql in captured) == 1


def test_goal_that_is_refused_reserves_nothing(owner, site):
    path = f"/sites/{site.site_key}/goals"
    body = {"name": "x", "type": "event", "match_type": "exact", "match_value": ""}
    assert owner("POST", path, body).status_code == 422
    assert not ReservedName.objects.exists()


def test_nothing_is_asked_or_counted_for_what_is_known(visit):
    visit(view("/"))
    with captured_queries() as captured:
        visit(view("/"))
    assert not any("growth" in sql for sql in captured)


def test_zero_is_no_limit(visit, settings):
    settings.MAX_NEW_PATHS = 0
    visit(*(view(f"/{number}") for number in range(5)))
    assert "(other)" not in stored()
    assert Growth.objects.get(kind="paths").made == 5


def test_first_of_a_day_is_logged_and_no_other(
    visit, site, caplog, django_capture_on_commit_callbacks
):
    caplog.set_level(logging.WARNING)
    with django_capture_on_commit_callbacks(execute=True):
        visit(*(view(f"/{number}") for number in range(8)))
    lines = [each for each in caplog.messages if "(other)" in each]
    assert lines == [
        f"Site {site.pk} has more than 3 new paths on 2026-03-10:"
        " more are stored as (other)"
    ]


def test_long_labels_are_cut(visit, settings):
    settings.MAX_NEW_LABELS = 0
    long = "x" * 1_500
    agent = f"Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 {long}/1.0 Safari/537.36"
    visit(view(f"/?utm_source={long}"), **{"User-Agent": BROWSER + " " + agent})
    visit(view("/", referrer=f"https://{long}.example/"))
    kept = Context.objects.all()
    assert {len(each.utm_source) for each in kept} == {0, 255}
    assert {len(each.referrer) for each in kept} == {0, 253}
    assert all(len(each.browser) <= 64 and len(each.os) <= 64 for each in kept)
