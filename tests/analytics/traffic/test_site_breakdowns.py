"""GET /sites/:key/stats by names and by properties, and what its rows leave out."""

from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

import pytest
import time_machine

from analytics.events import Labels
from analytics.events.lookups import _FEW
from tests.factories import SiteFactory, store

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
EARLIER = NOW - timedelta(days=5)


@pytest.fixture(autouse=True)
def frozen():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def stats(reader, site):
    def ask(of=site, status=200, **parameters):
        path = f"/sites/{of.site_key}/stats?{urlencode(parameters)}"
        response = reader("GET", path)
        assert response.status_code == status, response.content
        return response.json()["data" if status == 200 else "details"]

    return ask


@pytest.fixture
def rows(stats):
    """The rows of one dimension, as (value, page views, visitors)."""

    def ask(dimension, **parameters):
        shown = stats(dimensions=dimension, **parameters)["breakdowns"]
        (found,) = shown.values()
        return [(row["value"], row["pageviews"], row["visitors"]) for row in found]

    return ask


def prop(site, value, visitor=1, at=NOW, type="event", **more):
    store(site, type, "order", at=at, visitor=visitor, props={"plan": value}, **more)


@pytest.mark.parametrize("at", [NOW, EARLIER])
def test_names_are_of_all_events(rows, site, at):
    for visitor in (1, 2, 2):
        store(site, "pageview", "/", at=at, visitor=visitor)
    store(site, "event", "signup", at=at, visitor=1)
    store(site, "goal", "purchase", at=at, visitor=1, page="/")
    assert rows("name") == [("/", 3, 2), ("purchase", 0, 1), ("signup", 0, 1)]


@pytest.mark.parametrize("at", [NOW, EARLIER])
def test_visitor_of_a_name_of_several_types_counts_once(rows, site, at):
    for type in ("pageview", "event", "goal"):
        store(site, type, "/signup", at=at, visitor=1)
    store(site, "event", "/signup", at=at, visitor=2)
    store(site, "event", "/signup", at=at - timedelta(days=1), visitor=2)
    store(site, "pageview", "/", at=at, visitor=3)
    expected = [("/signup", 1, 3), ("/", 1, 1)]
    assert rows("name") == rows("name") == expected
    assert rows("name", name="/signup") == expected[:1]
    assert rows("name", device="(none)") == expected


def test_names_of_other_sites_are_not_of_several_types(rows, site, strangers_site):
    store(strangers_site, "event", "/", at=NOW)
    store(site, "pageview", "/", at=NOW)
    assert rows("name") == [("/", 1, 1)]


@pytest.mark.parametrize("at", [NOW, EARLIER])
def test_properties_are_shown_as_filters_write_them(rows, site, at):
    sent = [(1, 1), (1.0, 2), ("1", 2), ("pro", 3), (True, 4), ("true", 4)]
    sent += [(0.5, 5), ("", 6), (-3, 7), (10**14, 8), ("é, x", 9)]
    for value, visitor in sent:
        prop(site, value, visitor, at)
    prop(site, None, 10, at)
    store(site, "pageview", "/", at=at, visitor=10)
    found = rows("props.plan")
    assert found == [
        ("1", 0, 2),
        ("", 0, 1),
        ("-3", 0, 1),
        ("0.5", 0, 1),
        ("100000000000000", 0, 1),
        ("pro", 0, 1),
        ("true", 0, 1),
        ("é, x", 0, 1),
        (None, 1, 1),
    ]
    for value, pageviews, visitors in found:
        if value != "":
            text = "(none)" if value is None else value.replace(",", r"\,")
            narrowed = rows("props.plan", **{"props.plan": text})
            assert narrowed == [(value, pageviews, visitors)]


@pytest.mark.parametrize("number", [0.1, 1 / 3, 0.1 + 0.2, 1e22, 1e-7, 1e300, 2.5e15])
def test_value_of_a_number_is_found_by_a_filter(rows, site, number):
    prop(site, number)
    ((value, _, visitors),) = rows("props.plan")
    assert float(value) == number
    assert visitors == 1
    assert rows("props.plan", **{"props.plan": value}) == [(value, 0, 1)]


def test_page_views_of_properties_are_counted(rows, site):
    prop(site, "pro", type="pageview")
    prop(site, "pro", type="pageview")
    prop(site, "free", visitor=2)
    assert rows("props.plan") == [("free", 0, 1), ("pro", 2, 1)]


def test_key_may_have_anything(stats, site):
    key = r'a,b."$\\ c'
    store(site, "event", "e", at=NOW, props={key: "x", "other": "y"})
    escaped = "".join(f"\\{c}" if c in ",\\" else c for c in key)
    found = stats(dimensions=f"props.{escaped},os,props.other")["breakdowns"]
    assert list(found) == [f"props.{key}", "os", "props.other"]
    assert [row["value"] for row in found[f"props.{key}"]] == ["x"]


def test_source_filters_narrow_names_and_properties(rows, site):
    google = Labels("google.com")
    store(site, "pageview", "/", at=NOW, labels=google)
    prop(site, "pro", at=NOW + timedelta(minutes=1))
    prop(site, "free", visitor=2)
    assert rows("name", referrer="Google") == [("/", 1, 1), ("order", 0, 1)]
    assert rows("props.plan", referrer="Google") == [("pro", 0, 1), (None, 1, 1)]
    own = rows("props.plan", referrer="Google", attribution="event")
    assert own == [(None, 1, 1)]


@pytest.mark.parametrize(
    "dimension", ["path", "name", "props.plan", "utm_campaign", "entry_path"]
)
def test_rows_and_what_they_leave_out_add_up(stats, site, dimension):
    for number in range(102):
        # Three values have one visitor, and so two are not among the first hundred.
        for visitor in range(1 if number < 3 else 2):
            store(
                site,
                "pageview",
                f"/{number:03}",
                at=NOW,
                visitor=visitor + 2 * number,
                labels=Labels(utm_campaign=f"c{number:03}"),
                props={"plan": f"p{number:03}"},
            )
    answer = stats(dimensions=dimension, include="other")
    rows = answer["breakdowns"][dimension]
    assert len(rows) == 100
    assert answer["other"] == {dimension: {"values": 2, "pageviews": 2}}
    shown = sum(row["pageviews"] for row in rows)
    assert shown + 2 == answer["totals"]["pageviews"] == 201


def test_what_rows_leave_out_is_told_only_when_asked(stats, site):
    store(site, "pageview", "/", at=NOW)
    assert "other" not in stats(dimensions="path")
    none = {"values": 0, "pageviews": 0}
    assert stats(dimensions="path,os", include="other")["other"] == {
        "path": none,
        "os": none,
    }
    assert "other" not in stats(include="other")


def test_each_value_is_compared_with_what_it_was(stats, site):
    store(site, "pageview", "/", at=NOW, visitor=1)
    prop(site, 3)
    prop(site, None, visitor=2)
    for visitor in (1, 2):
        prop(site, "3", visitor, at=NOW - timedelta(days=9))
    store(site, "event", "gone", at=NOW - timedelta(days=9), visitor=3)
    found = stats(dimensions="name,props.plan", period="7d", compare="previous")
    before = {
        name: {
            row["value"]: (
                row["comparison"]["pageviews"],
                row["comparison"]["visitors"],
            )
            for row in shown
        }
        for name, shown in found["breakdowns"].items()
    }
    assert before == {
        "name": {"/": (0, 0), "order": (0, 2)},
        "props.plan": {"3": (0, 2), None: (0, 1)},
    }


@pytest.mark.parametrize(
    "dimensions",
    ["props.", "city", "os,", "props.a,", r"props.a\\,,os", "props", "name,Props.a"],
)
def test_wrong_dimension_is_named(stats, dimensions):
    (message,) = stats(status=422, dimensions=dimensions)["dimensions"]
    assert message.startswith("No such dimension: ")
    assert message.endswith("props.<key>.")


def test_sealed_days_are_refused(stats, site):
    site.sealed_before = date(2026, 2, 1)
    site.save()
    for dimension in ("name", "props.plan"):
        refused = stats(status=422, period="12mo", dimensions=dimension)
        assert "2026-02-01" in refused["period"][0]
    assert stats(period="7d", dimensions="name,props.plan")


def test_many_names_of_several_types_are_counted(rows, site):
    own = SiteFactory.create(team=site.team)
    count = _FEW // 2 + 1
    for number in range(count):
        for type in ("pageview", "event"):
            store(own, type, f"/{number}", at=EARLIER)
    store(own, "event", "alone", at=EARLIER, visitor=2)
    store(own, "event", "alone", at=EARLIER, visitor=3)
    found = rows("name", of=own)
    assert found[0] == ("alone", 0, 2)
    assert len(found) == 100
    assert {row[1:] for row in found[1:]} == {(1, 1)}
