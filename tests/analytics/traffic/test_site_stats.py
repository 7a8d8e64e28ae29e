"""GET /sites/:key/stats and /sites/:key/realtime."""

from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.events import Labels, open_labels
from analytics.models import Event
from analytics.traffic.breakdowns import DIMENSIONS
from tests.factories import SiteFactory, store
from tests.recount.goals import Raw
from tests.recount.sources import attributed
from tests.recount.traffic import site_stats

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def frozen():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def stats(reader, site):
    def ask(of=site, **parameters):
        path = f"/sites/{of.site_key}/stats?{urlencode(parameters)}"
        response = reader("GET", path)
        assert response.status_code == 200, response.content
        return response.json()["data"]

    return ask


@pytest.fixture
def refused(reader, site):
    def ask(**parameters):
        path = f"/sites/{site.site_key}/stats?{urlencode(parameters)}"
        response = reader("GET", path)
        assert response.status_code == 422
        return response.json()["details"]

    return ask


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def counts(pageviews, visitors, visits):
    return {"pageviews": pageviews, "visitors": visitors, "visits": visits}


def share(value, pageviews, visitors):
    return {"value": value, "pageviews": pageviews, "visitors": visitors}


def test_days_are_counted_and_summed(stats, site):
    store(site, "pageview", "/", at=at("2026-03-08T10:00"), visitor=1)
    store(site, "pageview", "/a", at=at("2026-03-08T10:05"), visitor=1)
    store(site, "event", "signup", at=at("2026-03-08T10:06"), visitor=1)
    store(site, "pageview", "/", at=at("2026-03-08T23:00"), visitor=2)
    store(site, "pageview", "/", at=at("2026-03-10T11:00"), visitor=1)
    assert stats(period="custom", **{"from": "2026-03-08", "to": "2026-03-10"}) == {
        "period": {"from": "2026-03-08", "to": "2026-03-10"},
        "totals": counts(4, 3, 3),
        "timeseries": [
            {"date": "2026-03-08", **counts(3, 2, 2)},
            {"date": "2026-03-09", **counts(0, 0, 0)},
            {"date": "2026-03-10", **counts(1, 1, 1)},
        ],
    }


@pytest.mark.parametrize(
    ("parameters", "first", "length"),
    [
        ({}, "2026-02-08", 31),
        ({"period": "7d"}, "2026-03-03", 8),
        ({"period": "12mo"}, "2025-03-10", 366),
    ],
)
def test_every_day_of_a_site_without_events_is_zero(stats, parameters, first, length):
    answer = stats(**parameters)
    assert answer["period"] == {"from": first, "to": "2026-03-10"}
    assert answer["totals"] == counts(0, 0, 0)
    assert len(answer["timeseries"]) == length
    assert answer["timeseries"][0] == {"date": first, **counts(0, 0, 0)}


@pytest.mark.parametrize("type", ["event", "goal"])
def test_every_event_makes_a_visitor_and_a_visit(stats, site, type):
    store(site, type, "signup", at=NOW)
    assert stats()["totals"] == counts(0, 1, 1)


@pytest.mark.parametrize(
    ("second", "visits"),
    [
        ("10:29:59", 1),
        ("10:30:00", 1),
        ("10:30:00.999999", 1),
        ("10:30:01", 2),
        ("11:00:00", 2),
    ],
)
def test_silence_over_30_minutes_ends_a_visit(stats, site, second, visits):
    store(site, "pageview", "/", at=at("2026-03-09T10:00:00"))
    store(site, "pageview", "/", at=at(f"2026-03-09T{second}"))
    assert stats()["totals"] == counts(2, 1, visits)


def test_silence_is_counted_between_whole_seconds(stats, site):
    store(site, "pageview", "/", at=at("2026-03-09T10:00:00.999999"))
    store(site, "pageview", "/", at=at("2026-03-09T10:30:01"))
    assert stats()["totals"]["visits"] == 2


def test_visit_lasts_while_something_happens(stats, site):
    for minute in range(0, 120, 29):
        time = at("2026-03-09T10:00") + timedelta(minutes=minute)
        store(site, "event" if minute % 2 else "pageview", "/", at=time)
    assert stats()["totals"]["visits"] == 1


def test_late_event_joins_two_visits(stats, site):
    store(site, "pageview", "/", at=at("2026-03-09T10:00"))
    store(site, "pageview", "/", at=at("2026-03-09T10:50"))
    assert stats()["totals"]["visits"] == 2
    store(site, "pageview", "/", at=at("2026-03-09T10:25"))
    assert stats()["totals"]["visits"] == 1


def test_visitors_do_not_end_each_others_visits(stats, site):
    for minute in (0, 20, 40):
        time = at("2026-03-09T10:00") + timedelta(minutes=minute)
        store(site, "pageview", "/", at=time, visitor=minute % 40)
    assert stats()["totals"] == counts(3, 2, 3)


def test_visit_ends_at_midnight_in_the_sites_zone(stats, site):
    berlin = SiteFactory.create(team=site.team, timezone="Europe/Berlin")
    for of in (site, berlin):
        store(of, "pageview", "/", at=at("2026-03-09T22:59"))
        store(of, "pageview", "/", at=at("2026-03-09T23:01"))
    assert stats()["totals"] == counts(2, 1, 1)
    assert stats(berlin)["totals"] == counts(2, 2, 2)
    assert [day["pageviews"] for day in stats(berlin)["timeseries"][-2:]] == [1, 1]


def test_period_ends_today_in_the_sites_zone(stats, site):
    samoa = SiteFactory.create(team=site.team, timezone="Pacific/Apia")
    store(samoa, "pageview", "/", at=NOW)
    answer = stats(samoa, period="7d")
    assert answer["period"] == {"from": "2026-03-04", "to": "2026-03-11"}
    assert answer["timeseries"][-1] == {"date": "2026-03-11", **counts(1, 1, 1)}


def test_other_sites_and_days_do_not_count(stats, site, strangers_site):
    store(strangers_site, "pageview", "/", at=NOW)
    store(site, "pageview", "/", at=at("2026-03-02T23:59:59"))
    store(site, "pageview", "/", at=at("2026-03-11T00:00:00"))
    answer = stats(period="7d", dimensions="path,country")
    assert answer["totals"] == counts(0, 0, 0)
    assert answer["breakdowns"] == {"path": [], "country": []}


def test_filters_leave_the_events_that_have_the_labels(stats, site):
    for visitor, country, device in [
        (1, "DE", "Mobile"),
        (2, "DE", "Desktop"),
        (3, "FR", "Mobile"),
        (4, "", "Desktop"),
    ]:
        labels = Labels(country=country, device=device)
        store(site, "pageview", "/", at=NOW, visitor=visitor, labels=labels)

    def visitors(**filters):
        answer = stats(**filters)
        assert answer["timeseries"][-1]["visitors"] == answer["totals"]["visitors"]
        return answer["totals"]["visitors"]

    assert visitors(country="DE") == 2
    assert visitors(country="DE,FR") == 3
    assert visitors(country="!DE") == 2
    assert visitors(country="!DE,FR") == 1
    assert visitors(country="(none)") == 1
    assert visitors(country="!(none)") == 3
    assert visitors(country="DE", device="Mobile") == 1
    assert visitors(country="!DE", device="!Mobile") == 1
    assert visitors(country="AT") == 0


def test_filters_narrow_breakdowns_too(stats, site):
    for country in ("DE", "FR"):
        labels = Labels(country=country, os="Linux")
        store(site, "pageview", f"/{country}", at=NOW, labels=labels)
    answer = stats(country="FR", dimensions="path,country,os")
    assert answer["breakdowns"] == {
        "path": [share("/FR", 1, 1)],
        "country": [share("FR", 1, 1)],
        "os": [share("Linux", 1, 1)],
    }


def test_breakdown_has_the_most_visitors_first_then_by_value(stats, site):
    for visitor, country in [(1, "FR"), (2, "DE"), (3, "US"), (4, "US"), (5, "")]:
        labels = Labels(country=country)
        store(site, "pageview", "/", at=NOW, visitor=visitor, labels=labels)
    assert stats(dimensions="country")["breakdowns"]["country"] == [
        share("US", 2, 2),
        share("DE", 1, 1),
        share("FR", 1, 1),
        share(None, 1, 1),
    ]


def test_visitor_seen_with_two_values_counts_for_each_once(stats, site):
    for country, referrer in [("DE", "Google"), ("DE", ""), ("DE", "Google")]:
        labels = Labels(country=country, referrer=referrer)
        store(site, "pageview", "/", at=NOW, visitor=1, labels=labels)
    store(site, "event", "signup", at=NOW, visitor=1, labels=Labels(country="DE"))
    assert stats(dimensions="country,referrer")["breakdowns"] == {
        "country": [share("DE", 3, 1)],
        "referrer": [share("Google", 3, 1)],
    }
    of_events = stats(dimensions="country,referrer", attribution="event")
    assert of_events["breakdowns"] == {
        "country": [share("DE", 3, 1)],
        "referrer": [share("Google", 2, 1), share(None, 1, 1)],
    }


def test_path_breakdown_is_of_page_views(stats, site):
    for visitor, path in [(1, "/a"), (1, "/a"), (1, "/B"), (2, "/B"), (2, "/ä")]:
        store(site, "pageview", path, at=NOW, visitor=visitor)
    store(site, "event", "/a", at=NOW, visitor=3, page="/ä")
    assert stats(dimensions="path")["breakdowns"]["path"] == [
        share("/B", 2, 2),
        share("/a", 2, 1),
        share("/ä", 1, 1),
    ]


def test_breakdown_shows_a_hundred_values(stats, site):
    for number in range(101):
        labels = Labels(utm_campaign=f"c{number:03}")
        store(site, "pageview", f"/{number:03}", at=NOW, labels=labels)
    shares = stats(dimensions="path,utm_campaign")["breakdowns"]
    assert [s["value"] for s in shares["path"]] == [f"/{n:03}" for n in range(100)]
    assert len(shares["utm_campaign"]) == 100
    assert shares["utm_campaign"][-1]["value"] == "c099"


def test_breakdowns_come_in_the_order_asked_for(stats):
    assert list(stats(dimensions="os,path,os,country")["breakdowns"]) == [
        "os",
        "path",
        "country",
    ]


def test_number_of_queries_does_not_grow(reader, site):
    store(site, "pageview", "/", at=NOW, labels=Labels(country="DE"))
    path = f"/sites/{site.site_key}/stats"
    reader("GET", path)
    # The key and the site; what is kept of closed days, with those that are not closed.
    reader("GET", path, queries=2)
    labels = f"{path}?dimensions=country,entry_path"
    reader("GET", labels)
    # The state of the days is read once for all.
    reader("GET", labels, queries=2)
    every = ",".join(DIMENSIONS)
    query = f"period=12mo&country=DE&device=!Mobile&dimensions={every}"
    # With a filter the days, the labels, the paths, the names, each after the contexts;
    # what the entry paths are called, and which names are of several types.
    response = reader("GET", f"{path}?{query}", queries=11)
    assert list(response.json()["data"]["breakdowns"]) == list(DIMENSIONS)


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"dimensions": "city"}, "dimensions"),
        ({"dimensions": "country,"}, "dimensions"),
        ({"dimensions": ""}, "dimensions"),
        ({"country": ""}, "country"),
        ({"country": "DE,,FR"}, "country"),
        ({"period": "1d"}, "period"),
        ({"period": "custom", "from": "2026-03-01"}, "to"),
        ({"to": "2026-03-01"}, "to"),
        ({"country": "de"}, "country"),
    ],
)
def test_wrong_parameter_is_refused(refused, parameters, field):
    assert list(refused(**parameters)) == [field]


def test_public_stats_do_not_open_them_without_a_key(anyone, site):
    site.public_stats = True
    site.save()
    for path in ("stats", "realtime"):
        response = anyone.get(f"/api/v1/analytics/sites/{site.site_key}/{path}")
        assert response.status_code == 401


def test_realtime_counts_the_last_five_minutes(reader, site, strangers_site):
    for seconds, visitor in [(0, 1), (10, 1), (299, 2), (300, 3), (-1, 4)]:
        then = NOW - timedelta(seconds=seconds)
        store(site, "pageview", "/", at=then, visitor=visitor)
    store(site, "event", "signup", at=NOW, visitor=5)
    store(strangers_site, "pageview", "/", at=NOW, visitor=6)
    response = reader("GET", f"/sites/{site.site_key}/realtime", queries=3)
    assert response.json() == {"data": {"visitors": 3, "pageviews": 3}}


def test_realtime_of_a_quiet_site_is_zero(reader, site):
    response = reader("GET", f"/sites/{site.site_key}/realtime")
    assert response.json() == {"data": {"visitors": 0, "pageviews": 0}}


def test_realtime_takes_no_parameters(reader, site):
    response = reader("GET", f"/sites/{site.site_key}/realtime?country=DE")
    assert response.json()["details"] == {"country": ["Unknown parameter."]}


# Any events against a recount of what was sent. Summer time begins in Berlin
# within the days, and the gaps are around what ends a visit.

START = at("2026-03-28T20:00")
GAPS = st.sampled_from([0, 1, 600, 1_799, 1_800, 1_801, 7_200, 40_000])
FRACTIONS = st.sampled_from([0, 1, 499_999, 999_600, 999_999])
TEXTS = st.sampled_from(["", "B", "a", "é", "(none)", "x,y", "!z", "\\"])
SENT = st.tuples(
    GAPS,
    FRACTIONS,
    st.sampled_from(["pageview", "event", "goal"]),
    st.sampled_from(["/", "/B", "/a", "/é"]),
    st.integers(min_value=-2, max_value=1),
    st.tuples(TEXTS, st.sampled_from(["", "DE", "FR"])),
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "Pacific/Apia"])
FILTER = st.none() | st.tuples(st.lists(TEXTS, min_size=1, max_size=2), st.booleans())


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(SENT, max_size=25),
    ZONES,
    FILTER,
    st.integers(0, 2),
    st.integers(0, 3),
    # Days that are closed, and days that are not.
    st.sampled_from([0, 1, 2, 3, 9]),
)
def test_answer_equals_a_recount(
    stats, site, sent, zone, narrowed, skip, length, later
):
    own = SiteFactory.create(team=site.team, timezone=zone)
    time, raws = START, []
    for gap, fraction, type, name, visitor, (utm_source, country) in sent:
        time += timedelta(seconds=gap)
        labels = Labels(utm_source=utm_source, country=country)
        when = time + timedelta(microseconds=fraction)
        store(own, type, name, at=when, visitor=visitor, labels=labels)
        day = when.astimezone(ZoneInfo(zone)).date()
        raws.append(Raw(type, name, day, when, visitor, labels))
    first = date(2026, 3, 28) + timedelta(days=skip)
    last = first + timedelta(days=length)
    parameters = {"period": "custom", "from": str(first), "to": str(last)}
    wanted, negated = narrowed or ([], True)
    if wanted:
        escaped = ["".join(f"\\{c}" for c in text) or "(none)" for text in wanted]
        parameters["utm_source"] = "!" * negated + ",".join(escaped)
    raws = attributed(raws, "last")
    kept = [raw for raw in raws if (raw.labels.utm_source in wanted) is not negated]
    dimensions = ["path", "country", "utm_source"]
    with time_machine.travel(time + timedelta(days=later), tick=False):
        answer = stats(own, dimensions=",".join(dimensions), **parameters)
    assert answer == site_stats(kept, first, last, dimensions)


def test_open_days_are_counted_on_from_where_they_were(stats, site):
    """Events that come in any order: shown as by a process that remembers nothing."""
    # The last one joins two visits of the first visitor.
    sent = [("pageview", 60, 1), ("goal", 5, 1), ("pageview", 61, 2), ("event", 33, 1)]
    for type, minute, visitor in sent:
        moment = NOW - timedelta(minutes=90 - minute)
        store(site, type, "/a", at=moment, visitor=visitor)
        remembered = stats(period="7d")
        open_labels.forget()
        assert remembered == stats(period="7d")
    assert remembered["totals"] == counts(pageviews=2, visitors=2, visits=2)
    # Nothing came since: no event is looked at.
    Event.objects.all().update(visitor=9)
    assert stats(period="7d") == remembered
