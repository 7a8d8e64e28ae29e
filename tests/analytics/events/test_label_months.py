"""What is kept of closed days by labels, and what makes it stale."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from analytics import events
from analytics.events import Labels, closed_sums, months, open_labels
from analytics.models import Event, LabelMonth
from goals.money import rates
from tests.factories import GoalFactory, store

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOW = NOON.replace(day=20)
PERIOD = "period=custom&from=2026-03-01&to=2026-03-20"


@pytest.fixture
def goal(site):
    return GoalFactory.create(
        site=site, type="custom", match_value="purchase", currency="USD"
    )


@pytest.fixture
def ask(reader, site, goal):
    def ask(path, query=""):
        path = path.format(goal=f"/goals/{goal.pk}")
        with time_machine.travel(NOW, tick=False):
            response = reader("GET", f"/sites/{site.site_key}{path}?{PERIOD}&{query}")
        assert response.status_code == 200, response.content
        return response.json()["data"]

    return ask


@pytest.fixture
def shop(site):
    """Two days: one visitor from two sources, one from Bing and one direct."""
    for visitor, referrers in ((1, ("Google", "Bing")), (2, ("Bing",)), (3, ("",))):
        for minute, referrer in enumerate(referrers):
            at = NOON + timedelta(minutes=minute)
            labels = Labels(referrer, country="DE")
            store(site, "pageview", "/", at=at, visitor=visitor, labels=labels)
            buy(site, at, visitor, event_id=f"{visitor}-{minute}")
    buy(site, NOON + timedelta(days=1), 4)
    return site


def buy(site, at, visitor, **values):
    store(site, "goal", "purchase", at=at, visitor=visitor, amount=10_0000, **values)


QUESTIONS = [
    ("{goal}/breakdown", "dimension=referrer"),
    ("{goal}/breakdown", "dimension=channel&attribution=first"),
    ("{goal}/stats", "referrer=Google"),
    ("{goal}/stats", "referrer=google,bing"),
    ("{goal}/timeseries", "referrer=!Bing&interval=week"),
    ("{goal}/rate", "referrer=(none)"),
    ("/stats", "dimensions=referrer,country"),
]


@pytest.mark.parametrize(("path", "query"), QUESTIONS)
def test_closed_days_are_counted_once(ask, shop, path, query):
    answer = ask(path, query)
    assert LabelMonth.objects.exists()
    # What is kept answers alone: of the closed days no event is left to be counted.
    Event.objects.filter(day__gt=NOON.date()).delete()
    Event.objects.filter(visitor__gt=1).delete()
    closed_sums.forget()
    assert ask(path, query) == answer


@pytest.mark.parametrize(("path", "query"), [*QUESTIONS[:4], *QUESTIONS[5:]])
def test_sums_are_remembered_until_a_day_changes(ask, shop, path, query):
    answer = ask(path, query)
    LabelMonth.objects.update(days=b"", total=b"")
    assert ask(path, query) == answer
    LabelMonth.objects.all().delete()
    with time_machine.travel(NOW, tick=False):
        # From Google, and direct: each of the questions counts one of them.
        for visitor, referrer in ((7, "Google"), (8, "")):
            labels = Labels(referrer)
            store(shop, "pageview", "/", at=NOON, visitor=visitor, labels=labels)
            buy(shop, NOON + timedelta(minutes=1), visitor)
    changed = ask(path, query)
    assert changed != answer
    closed_sums.forget()
    assert ask(path, query) == changed


def test_filter_by_several_values_counts_a_visitor_once(ask, shop):
    for _ in range(2):
        found = ask("{goal}/stats", "referrer=Google,Bing")
        assert found == {"conversions": 3, "unique_conversions": 2, "revenue": 30}


@pytest.mark.parametrize(("path", "query"), QUESTIONS)
def test_late_event_counts_at_once(ask, shop, path, query):
    ask(path, query)
    with time_machine.travel(NOW, tick=False):
        labels = Labels("news.example")
        at = NOON - timedelta(minutes=1)
        store(shop, "pageview", "/", at=at, visitor=3, labels=labels)
    kept = ask(path, query)
    LabelMonth.objects.all().delete()
    closed_sums.forget()
    assert kept == ask(path, query)


def test_late_event_costs_its_day_alone(ask, shop):
    ask("{goal}/breakdown", "dimension=referrer")
    with time_machine.travel(NOW, tick=False):
        buy(shop, NOON, 5)
    # The other day is not counted again: it would have nothing.
    Event.objects.filter(visitor=4).delete()
    rows = ask("{goal}/breakdown", "dimension=referrer")["breakdown"]
    counts = {row["value"]: row["conversions"] for row in rows}
    assert counts == {"Bing": 2, "Google": 1, None: 3}


def test_change_of_settings_holds_for_the_past(ask, shop):
    with time_machine.travel(NOW, tick=False):
        labels = Labels("pay.example")
        store(shop, "goal", "purchase", at=NOON, visitor=6, labels=labels)
    assert ask("{goal}/stats", "referrer=pay.example")["conversions"] == 1
    shop.excluded_referrers = ["pay.example"]
    shop.save()
    assert ask("{goal}/stats", "referrer=pay.example")["conversions"] == 0
    shop.excluded_referrers = []
    shop.save()
    assert ask("{goal}/stats", "referrer=pay.example")["conversions"] == 1


def test_refund_follows_a_source_that_changes_after_it_was_kept(ask, shop):
    refund = events.NewRefund(
        NOON.date() + timedelta(days=3), NOON + timedelta(days=3), "3-0", 4_0000
    )
    with time_machine.travel(NOW, tick=False):
        assert events.refund(shop.pk, [refund])[0].is_new
    assert ask("{goal}/stats", "referrer=(none)")["revenue"] == 16
    with time_machine.travel(NOW, tick=False):
        labels = Labels("news.example")
        at = NOON - timedelta(minutes=1)
        store(shop, "pageview", "/", at=at, visitor=3, labels=labels)
    assert ask("{goal}/stats", "referrer=(none)")["revenue"] == 10
    assert ask("{goal}/stats", "referrer=news.example")["revenue"] == 6


TOGETHER = [
    ("{goal}/breakdown", "dimension=referrer&country=DE"),
    ("{goal}/breakdown", "dimension=country&referrer=!google"),
    ("{goal}/breakdown", "dimension=entry_path&country=DE&include=visitors"),
    ("{goal}/stats", "country=DE&referrer=Google,Bing"),
    ("{goal}/rate", "country=(none)&entry_path=(none)"),
    ("/stats", "dimensions=referrer,country&device=(none)"),
]


@pytest.mark.parametrize(("path", "query"), TOGETHER)
def test_two_labels_together_are_kept(ask, shop, path, query):
    at = NOON + timedelta(hours=2)
    buy(shop, at, 7, labels=Labels("Google", country="FR", device="Mobile"))
    # With a filter by properties, which is none of a label, events are counted.
    counted = ask(path, f"{query}&props.k=(none)")
    assert not LabelMonth.objects.exists()
    answer = ask(path, query)
    assert answer == counted
    labels = set(LabelMonth.objects.values_list("label", flat=True))
    assert all("," in label for label in labels)
    Event.objects.filter(visitor__gt=1).delete()
    for field in ("conversions", "breakdown", "rate", "breakdowns"):
        assert ask(path, query).get(field) == answer.get(field)


@pytest.fixture
def year(site):
    """An event on some days of five months, two of them in another currency."""
    for number, day in enumerate((-95, -70, -65, -40, -33, -5)):
        at = NOON + timedelta(days=day)
        labels = Labels("Google" if number % 2 else "Bing", country="DE")
        store(site, "pageview", "/", at=at, visitor=number, labels=labels)
        code = {"currency": "EUR"} if number in (1, 5) else {}
        buy(site, at, number, **code)
    return site


OF_YEAR = "period=custom&from=2025-11-20&to=2026-03-20"


@pytest.fixture
def ask_year(reader, site, goal):
    def ask(path, query=""):
        path = path.format(goal=f"/goals/{goal.pk}")
        with time_machine.travel(NOW, tick=False):
            response = reader("GET", f"/sites/{site.site_key}{path}?{OF_YEAR}&{query}")
        return response.json()["data"]

    return ask


def forget_days():
    """Of whole months only the sums are left."""
    edges = LabelMonth.objects.filter(month__in=["2025-11-01", "2026-03-01"])
    LabelMonth.objects.exclude(pk__in=edges).update(days=months.pack({}))


def test_whole_months_are_summed(ask_year, year):
    path, query = "{goal}/breakdown", "dimension=referrer"
    Event.objects.filter(currency="EUR").update(currency="USD")
    answer = ask_year(path, query)
    rows = [(row["value"], row["revenue"]) for row in answer["breakdown"]]
    assert rows == [("Bing", 30), ("Google", 30)]
    filtered = ask_year("{goal}/stats", "referrer=google")
    forget_days()
    Event.objects.filter(visitor__gt=0).delete()
    assert ask_year(path, query) == answer
    assert ask_year("{goal}/stats", "referrer=google") == filtered


def test_amounts_that_need_a_rate_stay_by_the_day(ask_year, year):
    path, query = "{goal}/breakdown", "dimension=referrer"
    before = {r["value"]: r["revenue"] for r in ask_year(path, query)["breakdown"]}
    assert before == {"Bing": 30, "Google": 10}
    rates.store({("USD", NOON.date() - timedelta(days=70)): "1.25"})
    after = {r["value"]: r["revenue"] for r in ask_year(path, query)["breakdown"]}
    # One of the two has a rate of its day; that of the other is not known.
    assert after == {"Bing": 30, "Google": 22.5}


def test_late_event_takes_a_summed_month_apart(ask_year, year):
    path, query = "{goal}/breakdown", "dimension=referrer"
    ask_year(path, query)
    at = NOON - timedelta(days=65, minutes=1)
    with time_machine.travel(NOW, tick=False):
        store(year, "pageview", "/", at=at, visitor=2, labels=Labels("Google"))
        store(year, "goal", "purchase", at=at, visitor=9, amount=1_0000)
    rows = ask_year(path, query)["breakdown"]
    LabelMonth.objects.all().delete()
    assert ask_year(path, query)["breakdown"] == rows
    assert sum(row["conversions"] for row in rows) == 7


OPEN = "period=custom&from=2026-03-20&to=2026-03-20"


def test_what_came_today_is_added_visitor_by_visitor(reader, site, goal):
    """Late within the day, by another source, in any order."""

    def ask():
        url = f"/sites/{site.site_key}/goals/{goal.pk}/breakdown?{OPEN}"
        answers = [
            reader("GET", f"{url}&dimension={dimension}").json()["data"]["breakdown"]
            for dimension in ("referrer", "country", "entry_path")
        ]
        kept = reader("GET", f"{url}&dimension=referrer&country=DE").json()["data"]
        return [*answers, kept["breakdown"]]

    sent = [
        ("goal", "purchase", 60, 1, Labels(), 5_0000),
        ("goal", "purchase", 90, 2, Labels("Bing", country="FR"), None),
        ("pageview", "/", 10, 1, Labels("Google", country="DE"), None),
        ("pageview", "/b", 5, 1, Labels("Bing"), None),
        ("pageview", "/b", 55, 1, Labels(utm_source="mail"), None),
        ("goal", "purchase", 15, 1, Labels(country="DE"), 7_0000),
        ("goal", "purchase", 20, 3, Labels("news.example", country="DE"), 1_0000),
    ]
    with time_machine.travel(NOW, tick=False):
        for type, name, minute, visitor, labels, amount in sent:
            at = NOW - timedelta(minutes=120 - minute)
            values = {"visitor": visitor, "labels": labels, "amount": amount}
            store(site, type, name, at=at, **values)
            remembered = ask()
            open_labels.forget()
            assert remembered == ask()
        remembered = ask()
        assert [row["value"] for row in remembered[2]] == ["/b", None]
        # Nothing came since: no event is looked at.
        Event.objects.all().update(visitor=9)
        assert ask() == remembered
