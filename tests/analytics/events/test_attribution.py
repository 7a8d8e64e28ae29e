"""Where events come from, by each row of the contract's table, through the API."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from analytics import events
from analytics.events import Labels
from tests.factories import GoalFactory, store

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOW = NOON.replace(day=20)
PERIOD = "period=custom&from=2026-03-01&to=2026-03-04"
NONE = Labels()
GOOGLE, BING = Labels("Google"), Labels("Bing")
MAIL = Labels(utm_source="mail", utm_campaign="spring")


@pytest.fixture
def goal(site):
    return GoalFactory.create(
        site=site, type="custom", match_value="purchase", currency="USD"
    )


@pytest.fixture
def view(site):
    def view(minute, labels=NONE, **values):
        """A page view so many minutes after noon."""
        at = NOON + timedelta(minutes=minute)
        store(site, "pageview", "/", at=at, labels=labels, **values)

    return view


@pytest.fixture
def buy(site):
    def buy(minute, labels=NONE, **values):
        at = NOON + timedelta(minutes=minute)
        store(site, "goal", "purchase", at=at, labels=labels, **values)

    return buy


@pytest.fixture
def ask(reader, site, goal):
    def ask(question, query=""):
        goals = f"/sites/{site.site_key}/goals/{goal.pk}"
        with time_machine.travel(NOW, tick=False):
            response = reader("GET", f"{goals}/{question}?{PERIOD}&{query}")
        assert response.status_code == 200, response.content
        return response.json()["data"]

    return ask


@pytest.fixture
def source(ask):
    """The one referrer that a breakdown has, by an attribution."""

    def source(attribution="last", dimension="referrer"):
        query = f"dimension={dimension}&attribution={attribution}"
        (row,) = ask("breakdown", query)["breakdown"]
        return row["value"]

    return source


@pytest.fixture
def sources(ask):
    def sources(dimension="referrer", query=""):
        rows = ask("breakdown", f"dimension={dimension}&{query}")["breakdown"]
        return {row["value"]: row["conversions"] for row in rows}

    return sources


def test_conversion_comes_from_the_arrival_before_it(source, view, buy):
    view(0, GOOGLE)
    view(1)
    buy(2)
    assert source() == source("first") == "Google"
    assert source("event") is None


def test_visitors_without_one_of_many_names_do_not_count(
    monkeypatch, sources, view, buy
):
    monkeypatch.setattr("analytics.events.attribution._MANY_NAMES", 0)
    view(0, GOOGLE)
    view(1, BING, visitor=2)
    buy(2)
    assert sources() == {"Google": 1}


def test_latest_arrival_wins_and_first_when_asked(source, view, buy):
    view(0, GOOGLE)
    view(1, BING)
    buy(2)
    assert (source("last"), source("first")) == ("Bing", "Google")


def test_arrival_after_the_event_does_not_count(source, view, buy):
    buy(0)
    view(1, GOOGLE)
    assert source() is source("first") is None


def test_event_is_its_own_arrival(source, buy):
    buy(0, GOOGLE)
    assert source() == source("first") == source("event") == "Google"


@pytest.mark.parametrize("field", ["utm_source", "utm_medium", "utm_campaign"])
def test_each_campaign_label_makes_an_arrival(source, view, buy, field):
    view(0, GOOGLE)
    view(1, Labels(**{field: "x"}))
    buy(2)
    assert source("last", field) == "x"
    assert source("last") is None


def test_labels_are_all_of_one_arrival(sources, view, buy):
    view(0, Labels("news.example", utm_source="a", utm_campaign="spring"))
    view(1, Labels(utm_source="b"))
    buy(2)
    assert sources("utm_source") == {"b": 1}
    assert sources("utm_campaign") == sources("referrer") == {None: 1}


def test_repeated_referrer_of_a_visit_is_no_arrival(source, view, buy):
    """As a single-page application sends it with each of its pages."""
    view(0, GOOGLE._replace(utm_campaign="spring"))
    view(1, GOOGLE)
    buy(2, GOOGLE)
    assert source("last", "utm_campaign") == "spring"


def test_repetition_ends_with_another_arrival(source, view, buy):
    view(0, GOOGLE)
    view(1, MAIL)
    buy(2, GOOGLE)
    assert source("last") == "Google"
    assert source("last", "utm_source") is None


def test_repetition_ends_with_the_visit(source, view, buy):
    view(0, GOOGLE._replace(utm_campaign="spring"))
    view(31, GOOGLE)
    buy(32)
    assert source("last", "utm_campaign") is None
    assert source("first", "utm_campaign") == "spring"


def test_visit_goes_on_while_something_happens(source, view, buy):
    view(0, GOOGLE._replace(utm_campaign="spring"))
    view(20)
    view(50)
    buy(80, GOOGLE)
    assert source("last", "utm_campaign") == "spring"


def test_source_lives_for_a_day_of_a_visitor(sources, view, buy):
    view(-24 * 60, GOOGLE)
    view(0, BING, visitor=2)
    buy(1)
    assert sources() == {None: 1}


def test_of_one_moment_what_was_sent_first_comes_first(source, view, buy):
    view(0, GOOGLE)
    view(0, BING)
    buy(0)
    assert (source("last"), source("first")) == ("Bing", "Google")


def test_event_sent_late_counts_where_it_happened(sources, source, view, buy):
    buy(2)
    assert source() is None
    view(0, GOOGLE)
    assert source() == "Google"
    view(1, BING)
    assert source() == "Bing"
    buy(0.5)
    assert sources() == {"Bing": 1, "Google": 1}


def test_visitor_of_two_sources_is_one_of_both(ask, view, buy):
    view(0, GOOGLE)
    view(1, BING)
    buy(2)
    view(3, visitor=2)
    for referrer, converters in (("Google", 0), ("Bing", 1), ("(none)", 0)):
        rate = ask("rate", f"referrer={referrer}")
        assert rate["numerator"]["unique_visitors"] == converters
        assert rate["denominator"]["unique_visitors"] == 1


def test_filters_use_the_attribution_of_the_question(ask, view, buy):
    view(0, GOOGLE)
    view(1, BING)
    buy(2, amount=10_0000)
    for attribution, referrer in (("last", "Bing"), ("first", "Google")):
        query = f"attribution={attribution}&referrer="
        found = {"conversions": 1, "unique_conversions": 1, "revenue": 10}
        none = {"conversions": 0, "unique_conversions": 0, "revenue": 0}
        assert ask("stats", f"{query}{referrer}") == found
        assert ask("stats", f"{query}!{referrer}") == none
        series = ask("timeseries", f"{query}{referrer}")
        assert series["attribution"] == attribution
        assert series["timeseries"][1] == {"date": "2026-03-02", **found}
        hours = ask("timeseries", f"{query}{referrer}&interval=hour")["timeseries"]
        assert sum(hour["conversions"] for hour in hours) == 1
        money = ask("stats", f"{query}{referrer}&detail=money")["money"]
        assert money["net"] == 10
    assert ask("stats", "referrer=(none)&attribution=event")["conversions"] == 1


def test_statistics_of_a_site_and_all_goals_use_it(reader, site, goal, view, buy):
    view(0, GOOGLE)
    view(1)
    buy(2)
    url = f"/sites/{site.site_key}"
    with time_machine.travel(NOW, tick=False):
        query = f"{PERIOD}&dimensions=referrer&referrer=Google"
        answer = reader("GET", f"{url}/stats?{query}").json()["data"]
        assert answer["totals"] == {"pageviews": 2, "visitors": 1, "visits": 1}
        assert answer["breakdowns"]["referrer"] == [
            {"value": "Google", "pageviews": 2, "visitors": 1}
        ]
        query = f"{PERIOD}&referrer=Google&attribution=first"
        answer = reader("GET", f"{url}/goals/stats?{query}").json()["data"]
    assert answer["attribution"] == "first"
    assert [row["conversions"] for row in answer["goals"]] == [1]


def test_conversions_are_listed_with_their_source(reader, site, goal, view, buy):
    view(0, Labels("Google", utm_campaign="spring", country="DE", os="Linux"))
    buy(1, Labels(device="Mobile"))
    url = f"/sites/{site.site_key}/goals/{goal.pk}/conversions?{PERIOD}"
    with time_machine.travel(NOW, tick=False):
        (row,) = reader("GET", f"{url}&referrer=Google").json()["data"]
        lines = reader("GET", url, headers={"Accept": "text/csv"}).getvalue()
        (own,) = reader("GET", f"{url}&attribution=event").json()["data"]
    labels = ("referrer", "utm_campaign", "country", "os", "device")
    assert [row[label] for label in labels] == [
        *("Google", "spring", "DE", "Linux", "Mobile")
    ]
    assert b"Google" in lines
    assert [own[label] for label in labels] == [*[None] * 4, "Mobile"]


@pytest.mark.parametrize("attribution", ["last", "first"])
def test_labels_of_a_visitor_are_the_latest_known(sources, view, buy, attribution):
    view(0, Labels(country="DE", browser="Firefox"))
    buy(1)
    view(2, Labels(country="FR"))
    buy(3)
    query = f"attribution={attribution}"
    assert sources("country", query) == {"DE": 1, "FR": 1}
    assert sources("browser", query) == {"Firefox": 2}
    assert sources("device", query) == {None: 2}
    assert sources("country", "attribution=event") == {None: 2}


def test_refund_has_the_source_of_what_it_refunds(ask, site, view, buy):
    """Also where it is of another day, on which its visitor has another id."""
    view(0, GOOGLE)
    buy(1, amount=50_0000, event_id="order-1")
    refund = events.NewRefund(
        NOON.date() + timedelta(days=1), NOON + timedelta(days=1), "order-1", 20_0000
    )
    assert events.refund(site.pk, [refund])[0].is_new
    (row,) = ask("breakdown", "dimension=referrer")["breakdown"]
    assert (row["value"], row["conversions"], row["revenue"]) == ("Google", 1, 30)
    assert ask("stats", "referrer=Google")["revenue"] == 30
    assert ask("stats", "referrer=!Google")["revenue"] == 0
    view(0.5, BING)
    (row,) = ask("breakdown", "dimension=referrer")["breakdown"]
    assert (row["value"], row["revenue"]) == ("Bing", 30)


def test_rows_add_up_to_the_stats(ask, sources, view, buy):
    for visitor in range(1, 7):
        view(visitor, (GOOGLE, BING, Labels())[visitor % 3], visitor=visitor)
        buy(visitor + 1, visitor=visitor, amount=10_0000)
        buy(visitor + 2, MAIL, visitor=visitor)
    for dimension in ("referrer", "utm_source", "country"):
        assert sum(sources(dimension).values()) == ask("stats")["conversions"] == 12


def test_answer_says_which_was_used_where_it_is_not_the_owners(ask):
    assert list(ask("stats")) == ["conversions", "unique_conversions", "revenue"]
    assert ask("stats", "detail=attribution")["attribution"] == "last"
    for question in ("breakdown", "timeseries", "rate"):
        assert ask(question)["attribution"] == "last"
        assert ask(question, "attribution=first")["attribution"] == "first"


def test_other_attribution_is_refused(reader, site, goal):
    url = f"/sites/{site.site_key}/goals/{goal.pk}/stats?attribution=linear"
    response = reader("GET", url)
    assert response.status_code == 422
    assert list(response.json()["details"]) == ["attribution"]


def test_hosts_of_the_site_and_excluded_ones_bring_nobody(site, source, view, buy):
    """A change of the settings holds for the past as well."""
    site.excluded_referrers = ["pay.example"]
    site.save()
    view(0, GOOGLE)
    view(1, Labels("www.example.com"))
    view(2, Labels("checkout.pay.example"))
    buy(3)
    assert source() == "Google"
    site.excluded_referrers = []
    site.save()
    assert source() == "checkout.pay.example"


def test_sources_have_names_and_channels(ask, source, view, buy):
    view(0, Labels("www.google.co.uk"))
    buy(1)
    assert source() == "Google"
    assert source("last", "channel") == "Search"
    assert source("event", "channel") == "Direct"
    assert ask("stats", "channel=search")["conversions"] == 1


def test_values_are_grouped_without_case_as_first_seen(sources, ask, view, buy):
    for visitor, campaign in ((1, "Spring"), (2, "spring"), (3, "SPRING")):
        buy(visitor, Labels(utm_campaign=campaign), visitor=visitor)
    assert sources("utm_campaign") == {"Spring": 3}
    assert ask("stats", "utm_campaign=sPring")["conversions"] == 3


def test_click_id_makes_an_arrival(source, view, buy):
    view(0, GOOGLE)
    view(1, Labels(click_id="gclid"))
    buy(2)
    assert source() is None
    assert source("first") == "Google"


def test_entry_path_is_that_of_the_visit(sources, ask, site, view, buy):
    buy(-1, amount=10_0000)
    store(site, "pageview", "/Blog/1", at=NOON)
    view(1)
    buy(2, amount=5_0000)
    view(40)
    buy(41)
    buy(50, visitor=2)
    for attribution in ("last", "first", "event"):
        query = f"attribution={attribution}"
        assert sources("entry_path", query) == {"/Blog/1": 2, "/": 1, None: 1}
    found = {"conversions": 2, "unique_conversions": 1, "revenue": 15}
    assert ask("stats", "entry_path=/Blog/*") == found
    assert ask("stats", "entry_path=/blog/*")["conversions"] == 0
    assert ask("stats", "entry_path=!/Blog/1,(none)")["conversions"] == 1
    assert ask("stats", "entry_path=(none)")["conversions"] == 1
    rate = ask("rate", "entry_path=/Blog/1")
    assert rate["numerator"]["unique_visitors"] == 1
    assert rate["denominator"]["unique_visitors"] == 1
    late = NOON - timedelta(minutes=2)
    store(site, "pageview", "/late", at=late)
    assert sources("entry_path") == {"/late": 2, "/": 1, None: 1}


def test_refund_has_the_entry_path_of_what_it_refunds(ask, site, view, buy):
    view(0)
    buy(1, amount=50_0000, event_id="order-1")
    next_day = NOON + timedelta(days=1)
    refund = events.NewRefund(next_day.date(), next_day, "order-1", 20_0000)
    assert events.refund(site.pk, [refund])[0].is_new
    (row,) = ask("breakdown", "dimension=entry_path")["breakdown"]
    assert (row["value"], row["revenue"]) == ("/", 30)
    assert ask("stats", "entry_path=/&country=(none)")["revenue"] == 30
    assert ask("stats", "entry_path=!/&country=(none)")["revenue"] == 0


def test_sites_are_broken_down_by_entry_path(reader, site, view, buy):
    view(0)
    store(site, "pageview", "/b", at=NOON + timedelta(minutes=1))
    buy(40)
    url = f"/sites/{site.site_key}/stats?{PERIOD}&dimensions=entry_path"
    with time_machine.travel(NOW, tick=False):
        answer = reader("GET", url).json()["data"]
        filtered = reader("GET", f"{url}&entry_path=/*").json()["data"]
    assert answer["breakdowns"]["entry_path"] == [
        {"value": "/", "pageviews": 2, "visitors": 1},
        {"value": None, "pageviews": 0, "visitors": 1},
    ]
    assert filtered["totals"] == {"pageviews": 2, "visitors": 1, "visits": 1}
