"""Labels, sources and names of sealed days: kept when they are sealed, and final."""

import io
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

import pytest
import time_machine
from django.core.management import call_command

from analytics import events
from analytics.events import NewRefund, writing
from analytics.lifecycle import prune
from analytics.models import Adjustment, Event, LabelMonth, NameDay, Site
from analytics.questions.filters import LABELS
from analytics.questions.labels import ATTRIBUTIONS, Labels
from goals.counting import ahead
from tests.factories import GoalFactory, store

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
BORDER = date(2026, 2, 1)
WHOLE = {"period": "custom", "from": "2025-11-03", "to": "2026-03-02"}


@pytest.fixture(autouse=True)
def _times(monkeypatch):
    monkeypatch.setattr(prune, "GRACE_SECONDS", 0)
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def goals(site):
    """Journeys from October to May: a source, then events that repeat or lack it."""
    site.retention_months = 3
    site.save()
    hosts = ["", "news.example", "pay.example", "www.google.com"]
    made = []

    def add(type, name, at, visitor, **values):
        made.append(
            events.NewEvent(
                site_id=site.pk,
                day=at.date(),
                at=at,
                type=type,
                name=name,
                visitor=visitor,
                **values,
            )
        )

    for number in range(35):
        at = NOW - timedelta(days=6 * number)
        for step in range(3):
            labels = Labels(
                referrer=hosts[(number + step) % 4],
                utm_source="mail" if (number + step) % 5 == 0 else "",
                country="DE" if number % 2 else "FR",
                browser="Firefox" if step else "",
            )
            then = at + timedelta(minutes=step)
            add("pageview", f"/p{step}", then, number % 3, labels=labels)
            add("event", "signup", then, number % 3, labels=labels)
        add(
            "goal",
            "buy",
            at + timedelta(minutes=5),
            number % 3,
            amount=10_0000 + number,
            currency="EUR",
            event_id=f"order {number}",
        )
    events.append(made)
    for order, day in (
        ("order 20", date(2026, 1, 25)),
        ("order 19", date(2026, 2, 20)),
    ):
        at = datetime(day.year, day.month, day.day, tzinfo=UTC)
        [outcome] = events.refund(site.pk, [NewRefund(day, at, order, 1_0000)])
        assert outcome.is_new
    return [
        GoalFactory.create(site=site),
        GoalFactory.create(
            site=site, name="Buy", type="custom", match_value="buy", currency="EUR"
        ),
    ]


def pruned(site):
    site.refresh_from_db()
    call_command("prune", "--site", site.site_key, stdout=io.StringIO())
    site.refresh_from_db()


@pytest.fixture
def ask(owner, site):
    def ask(path, status=200, **query):
        answer = owner("GET", f"/sites/{site.site_key}{path}?{urlencode(query)}")
        assert answer.status_code == status, answer.content
        return answer.json()["data"] if status == 200 else answer.json()

    return ask


def by_labels(ask, goals, **period):
    """What is asked of one label, of all labels and attributions."""
    said = {}

    def add(path, **query):
        answer = ask(path, **period, **query)
        # Of sealed days there are none.
        answer.pop("properties", None) if isinstance(answer, dict) else None
        said[path, *query.items()] = answer

    add("/stats", dimensions="path,channel,referrer,country,browser,utm_source")
    add("/names")
    for name in said["/names",]:
        add(f"/names/{name['id']}/stats")
    signup, buy = (f"/goals/{goal.pk}" for goal in goals)
    for attribution in ATTRIBUTIONS:
        of = {"attribution": attribution}
        add("/goals/stats", referrer="news.example", **of)
        for label in LABELS if attribution == "last" else ("referrer", "browser"):
            add(f"{buy}/breakdown", dimension=label, **of)
        add(f"{signup}/stats", referrer="!news.example,(none)", **of)
        add(f"{buy}/stats", utm_source="ma*", **of)
        add(f"{buy}/timeseries", channel="Direct", **of)
        add(f"{signup}/rate", country="DE", **of)
    return said


def test_pruning_changes_no_number_of_a_label(site, goals, ask):
    before = by_labels(ask, goals, **WHOLE)
    assert len({str(answer) for answer in before.values()}) > 25
    pruned(site)
    assert not Event.objects.filter(site_id=site.pk, day__lt=BORDER).exists()
    assert not Adjustment.objects.filter(site_id=site.pk, day__lt=BORDER).exists()
    assert by_labels(ask, goals, **WHOLE) == before
    # Nor does a second time, or counting ahead.
    ahead.count_ahead(site, ahead.last_days(366))
    pruned(site)
    call_command("rollup", stdout=io.StringIO())
    assert by_labels(ask, goals, **WHOLE) == before
    assert by_labels(ask, goals, period="12mo")


def test_pruning_again_later_changes_none_either(site, goals, ask):
    before = by_labels(ask, goals, **WHOLE)
    pruned(site)
    with time_machine.travel(NOW + timedelta(days=45), tick=False):
        pruned(site)
        assert site.sealed_before == date(2026, 4, 1)
        assert by_labels(ask, goals, **WHOLE) == before


def test_later_settings_hold_from_the_border_on(site, goals, ask, owner):
    sealed = {"period": "custom", "from": "2025-10-25", "to": "2026-01-31"}
    since = {"period": "custom", "from": "2026-02-01", "to": "2026-05-01"}
    before = by_labels(ask, goals, **sealed)
    path = f"/goals/{goals[0].pk}/breakdown"
    question = {"dimension": "referrer", "attribution": "event"}

    def hosts(**period):
        return {row["value"] for row in ask(path, **period, **question)["breakdown"]}

    assert "pay.example" in hosts(**since) & hosts(**sealed)
    pruned(site)
    answer = owner(
        "PATCH",
        f"/sites/{site.site_key}/settings",
        {"excluded_referrers": ["pay.example"]},
    )
    assert answer.status_code == 200
    assert "pay.example" not in hosts(**since)
    assert by_labels(ask, goals, **sealed) == before
    # Whoever asks for both is told both.
    assert "pay.example" in hosts(**WHOLE)
    ahead.count_ahead(site, ahead.last_days(366))
    assert by_labels(ask, goals, **sealed) == before


def test_settings_that_change_while_it_counts_are_those_that_are_kept(
    site, goals, ask, monkeypatch
):
    real = writing.lock_sites

    def changes(site_ids):
        Site.objects.filter(pk=site.pk).update(excluded_referrers=["pay.example"])
        real(site_ids)

    monkeypatch.setattr("analytics.lifecycle.prune.lock_sites", changes)
    pruned(site)
    rows = LabelMonth.objects.filter(site_id=site.pk, month__lt=BORDER)
    assert rows.values("settings").distinct().count() == 1
    path = f"/goals/{goals[0].pk}/breakdown"
    found = ask(path, **WHOLE, dimension="referrer", attribution="event")
    assert "pay.example" not in {row["value"] for row in found["breakdown"]}


def test_refunds_add_up_on_both_sides_of_the_border(site, goals, ask):
    """One of a sealed day, and one of an unsealed day for an order that is gone."""
    path = f"/goals/{goals[1].pk}"
    totals = ask(f"{path}/stats", **WHOLE)
    pruned(site)
    assert ask(f"{path}/stats", **WHOLE) == totals
    for label in LABELS:
        rows = ask(f"{path}/breakdown", **WHOLE, dimension=label)["breakdown"]
        revenue = sum(round(row["revenue"] * 10_000) for row in rows)
        assert revenue == round(totals["revenue"] * 10_000), label
        assert sum(row["conversions"] for row in rows) == totals["conversions"]


@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
def test_a_refund_keeps_the_labels_of_an_event_that_is_gone(
    site, goals, ask, attribution
):
    """It is of a day after the border, its event of one before."""
    path = f"/goals/{goals[1].pk}/breakdown"
    day = {"period": "custom", "from": "2026-02-20", "to": "2026-02-20"}

    def rows():
        return {
            label: ask(path, **day, dimension=label, attribution=attribution)[
                "breakdown"
            ]
            for label in LABELS
        }

    before = rows()
    assert all(sum(row["revenue"] for row in own) == -1 for own in before.values())
    pruned(site)
    assert rows() == before
    with time_machine.travel(NOW + timedelta(days=20), tick=False):
        pruned(site)
        assert site.sealed_before == date(2026, 3, 1)
        assert rows() == before


def test_a_new_rule_has_no_labels_before_the_border(site, goals, ask):
    pruned(site)
    goal = GoalFactory.create(site=site, name="New", match_type="contains")
    path = f"/goals/{goal.pk}"
    since = {"period": "custom", "from": "2026-02-01", "to": "2026-05-20"}
    found = ask(f"{path}/stats", period="12mo", country="DE", detail="coverage")
    assert found["coverage"] == {"from": "2026-02-01", "complete": False}
    own = ask(f"{path}/stats", **since, country="DE")
    assert found["conversions"] == own["conversions"] > 0
    series = ask(f"{path}/timeseries", period="12mo", country="DE")["timeseries"]
    assert sum(point["conversions"] for point in series) == own["conversions"]
    rate = ask(f"{path}/rate", period="12mo", country="DE")
    assert rate["rate"] == ask(f"{path}/rate", **since, country="DE")["rate"]
    rows = ask(f"{path}/breakdown", period="12mo", dimension="country")
    assert rows == ask(f"{path}/breakdown", **since, dimension="country")
    assert rows["breakdown"]
    for question, query in (
        ("stats", {"country": "DE"}),
        ("timeseries", {"country": "DE"}),
        ("rate", {"country": "DE"}),
        ("breakdown", {"dimension": "country"}),
    ):
        wrong = ask(f"{path}/{question}", status=422, **WHOLE, **query)
        assert "from 2026-02-01 on" in wrong["details"]["from"][0]
    rows = ask("/goals/stats", period="12mo", country="DE")["goals"]
    assert {row["id"]: row["conversions"] for row in rows}[str(goal.pk)] == (
        own["conversions"]
    )


def test_late_events_while_it_counts_are_in_the_labels(site, goals, ask, monkeypatch):
    days = iter([date(2026, 1, 3)])
    real = writing.lock_sites

    def late(site_ids):
        for day in days:
            at = datetime(day.year, day.month, day.day, tzinfo=UTC)
            labels = Labels(country="AT")
            store(site, "event", "signup", at=at, visitor=77, labels=labels)
        real(site_ids)

    monkeypatch.setattr("analytics.lifecycle.prune.lock_sites", late)
    pruned(site)
    path = f"/goals/{goals[0].pk}/stats"
    assert ask(path, **WHOLE, country="AT")["conversions"] == 1


def test_names_that_are_gone_say_when_they_were_seen(site, goals, ask):
    old = datetime(2025, 12, 24, tzinfo=UTC)
    store(site, "event", "xmas", at=old)
    pruned(site)
    [name] = ask("/names", period="12mo", search="xmas")
    assert (name["events"], name["first_seen"], name["last_seen"]) == (
        1,
        "2025-12-24",
        "2025-12-24",
    )
    stats = ask(f"/names/{name['id']}/stats", period="12mo")
    assert not stats["properties"]["is_complete"]
    assert NameDay.objects.filter(site_id=site.pk, day__lt=BORDER).exists()
