"""Every number about goals equals a slow recount of the raw events in Python.

Hypothesis makes the events, refunds, goals, edits, time zones and late events.
"""

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analytics import events
from analytics.events import Labels
from analytics.models import ApiToken, Site
from goals import rates, stats
from tests.conftest import ApiClient
from tests.factories import GoalFactory, SiteFactory, TeamFactory
from tests.recount import DAY, DIMENSIONS, Raw, Recount, whom

# Clocks change by an hour in Berlin, by half an hour on Lord Howe; a leap day
# and the end of a month.
STARTS = [date(2025, 10, 25), date(2025, 4, 4), date(2024, 2, 28)]
ZONES = ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"]
RATES = {("USD", start + DAY): "1.25" for start in STARTS}
# Names, and rules over them: few, so that most events match.
WORLDS = [
    (
        [("pageview", "/"), ("pageview", "/blog/42"), ("goal", "/")],
        [
            {"type": "pageview", "match_type": "exact", "match_value": "/"},
            {"type": "pageview", "match_type": "contains", "match_value": "/"},
            {"type": "pageview", "match_type": "regex", "match_value": r"/\d+$"},
        ],
    ),
    (
        [("event", "sign up"), ("event", "signup"), ("goal", "signup")],
        [
            {"type": "event", "match_type": "exact", "match_value": "signup"},
            {"type": "event", "match_type": "contains", "match_value": "up"},
            {"type": "event", "match_type": "regex", "match_value": "^sign.?up$"},
            {"type": "custom", "match_type": "contains", "match_value": "sign"},
        ],
    ),
]
AMOUNTS = ["10", "0.0334", "99.99", "1"]
PROPS = [None, *({"k": value} for value in (1, 1.0, "1", True, None, "", 0.5))]
LABELS = [
    Labels(),
    Labels(country="DE", utm_source="a,b"),
    Labels(country="DE", os="Linux"),
    Labels(country="FR"),
]
FILTERS = {
    "": lambda labels: True,
    "&country=DE": lambda labels: labels.country == "DE",
    "&country=!DE,FR": lambda labels: labels.country not in ("DE", "FR"),
    "&os=(none)": lambda labels: labels.os == "",
    "&country=DE&os=Linux": lambda labels: labels[4:8:3] == ("DE", "Linux"),
    r"&utm_source=a\,b": lambda labels: labels.utm_source == "a,b",
}


@st.composite
def histories(draw, kinds, start, zone, now):
    """Events of four days from `start`, and refunds of some of them."""
    found = []
    for _ in range(draw(st.integers(0, 12))):
        type, name = draw(st.sampled_from(kinds))
        at = draw(moments(start, now))
        amount = draw(st.sampled_from([None, *map(Decimal, AMOUNTS)]))
        event = Raw(
            type,
            name,
            at.astimezone(ZoneInfo(zone)).date(),
            at,
            draw(st.sampled_from([-1, 1])),
            draw(st.sampled_from(LABELS)),
            None if type == "pageview" else draw(st.sampled_from([None, "/", "/b"])),
            amount,
            amount and draw(st.sampled_from([None, "EUR", "USD", "GBP"])),
            draw(st.sampled_from(PROPS)),
            str(uuid4()),
        )
        found.append(event)
        if amount and draw(st.booleans()):
            at = draw(moments(start, now))
            day = at.astimezone(ZoneInfo(zone)).date()
            half = -amount / 2
            found.append(event._replace(refunds=True, at=at, day=day, amount=half))
    return found


def moments(start, now):
    """Around full hours, where a bucket or a day ends; at most a day ahead."""
    midnight = datetime.combine(start, time.min, UTC)
    hour = st.integers(-12, 4 * 24 + 12) | st.sampled_from([12, 36])
    second = st.sampled_from([0, 0, 1_800, 3_599.999999])
    return st.builds(
        lambda hour, second: min(
            now + DAY, midnight + timedelta(hours=hour, seconds=second)
        ),
        hour,
        second,
    )


def keep(site, history):
    """Store what was sent; refunds come after what they refund."""
    for raw in history:
        amount = None if raw.amount is None else events.to_amount(raw.amount)
        if raw.refunds:
            new = events.NewRefund(raw.day, raw.at, raw.event_id, -(amount or 0))
            (outcome,) = events.refund(site.pk, [new])
            assert outcome.is_new, outcome
        else:
            values = {**raw._asdict(), "amount": amount}
            del values["refunds"]
            events.append([events.NewEvent(site_id=site.pk, **values)])


class Asked(NamedTuple):
    ask: ApiClient
    site: Site
    first: date
    last: date
    filters: str

    def __call__(self, path: str, query: str = "", **options: Any) -> Any:
        path = f"/sites/{self.site.site_key}/goals{path}"
        period = f"period=custom&from={self.first}&to={self.last}"
        response = self.ask("GET", f"{path}?{period}{self.filters}{query}", **options)
        assert response.status_code == 200, response.content
        return response

    def data(self, path: str, query: str = "") -> Any:
        return json.loads(self(path, query).content, parse_float=Decimal)["data"]


@pytest.fixture
def ask(db):
    rates.store(RATES)
    _, secret = ApiToken.issue(team=TeamFactory.create(), name="r", scopes=["*"])
    return ApiClient(secret)


@settings(
    max_examples=30,
    deadline=None,
    # Shrinking would take minutes, after which the whole run is ended.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    report_multiple_bugs=False,
    # Each example is rolled back.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_every_number_is_that_of_a_recount(ask, data):
    try:
        with transaction.atomic():
            check_history(ask, data.draw)
            transaction.set_rollback(True)
    finally:
        # The next site may get the same number.
        events.forget()
        stats.forget()


def check_history(ask, draw):
    start = draw(st.sampled_from(STARTS))
    kinds, rules = draw(st.sampled_from(WORLDS))
    zones = [draw(st.sampled_from(ZONES)) for _ in range(2)]
    first = start + draw(st.integers(0, 2)) * DAY
    last = first + draw(st.integers(0, 3)) * DAY
    team = ApiToken.objects.get().team
    site = SiteFactory.create(team=team)
    goals = [
        GoalFactory.create(
            site=site, **draw(st.sampled_from(rules)), currency=draw(CURRENCIES)
        )
        for _ in range(2)
    ]
    asked = Asked(ask, site, first, last, draw(st.sampled_from(["", *FILTERS])))
    history: list[Raw] = []
    now = datetime.combine(start + DAY, time(20), UTC)
    for zone in zones:
        # What comes after the first questions: days that are over, events that
        # are late, another zone, another rule.
        now += draw(st.sampled_from([0, 1, 9])) * DAY
        with time_machine.travel(now, tick=False):
            site.timezone = zone
            site.save(update_fields=["timezone"])
            more = draw(histories(kinds, start, zone, now))
            keep(site, more)
            history += more
            check_all(asked, history, goals)
            check_goal(draw, asked, history, *goals)
            path = f"/sites/{site.site_key}/goals/{goals[0].pk}"
            assert ask("PATCH", path, draw(st.sampled_from(rules))).status_code == 200
            goals[0].refresh_from_db()
    with time_machine.travel(now, tick=False):
        check_goal(draw, asked, history, *goals)


CURRENCIES = st.sampled_from([None, "EUR", "USD", "JPY"])
INTERVALS = st.sampled_from(["day", "week", "month"])
SORTS = st.sampled_from(["-conversions", "unique_conversions", "-revenue"])


def check_all(asked, history, goals):
    expected = [
        {
            "id": str(goal.pk),
            "name": goal.name,
            "currency": goal.currency,
            **recount(asked, history, goal).stats(asked.first, asked.last),
        }
        for goal in goals
    ]
    assert asked.data("/stats")["goals"] == expected


def recount(asked, history, goal):
    return Recount(history, goal, RATES, FILTERS[asked.filters])


def check_goal(draw, asked, history, goal, other):
    first, last = asked.first, asked.last
    right, path = recount(asked, history, goal), f"/{goal.pk}"
    before = first - (last - first) - DAY, first - DAY
    comparison = {"from": f"{before[0]}", "to": f"{before[1]}"}
    assert asked.data(f"{path}/stats", "&compare=previous") == {
        **right.stats(first, last),
        "comparison": {"period": comparison, **right.stats(*before)},
    }
    interval = draw(INTERVALS)
    series = asked.data(f"{path}/timeseries", f"&interval={interval}")
    assert series["timeseries"] == right.days(first, last, interval)
    hours = asked.data(f"{path}/timeseries", "&interval=hour")["timeseries"]
    assert hours == right.hours(first, last, asked.site.zone)
    dimension = draw(st.sampled_from(sorted(DIMENSIONS)))
    check_breakdown(asked, right, path, dimension, draw(SORTS))
    check_conversions(asked, right, path)
    check_rates(asked, right, path, recount(asked, history, other))


def check_breakdown(asked, right, path, dimension, sort):
    query = f"&dimension={dimension}&sort={sort}"
    answer = asked.data(f"{path}/breakdown", query)
    rows = [{**row, "value": as_json(row["value"])} for row in answer["breakdown"]]
    expected = right.breakdown(asked.first, asked.last, DIMENSIONS[dimension])
    assert sorted(rows, key=by_value) == sorted(expected, key=by_value)
    column, sign = sort.removeprefix("-"), -1 if sort.startswith("-") else 1
    order = [sign * (row[column] or 0) for row in rows]
    assert order == sorted(order)
    assert answer["total_values"] == len(expected)
    largest = asked.data(f"{path}/breakdown", f"{query}&limit=1")
    assert largest["breakdown"] == answer["breakdown"][:1]


def by_value(row):
    return row["value"]


def as_json(value):
    return json.dumps(float(value) if isinstance(value, Decimal) else value)


def check_conversions(asked, right, path):
    own = [raw for raw in right.within(asked.first, asked.last) if not raw.refunds]
    # Of one moment the one that came last comes first.
    own = [own[n] for n in sorted(range(len(own)), key=lambda n: (own[n].at, n))][::-1]
    expected = [
        (raw.event_id, raw.name, f"{raw.at:%Y-%m-%dT%H:%M:%SZ}", raw.amount)
        for raw in own
    ]
    seen, cursor = [], ""
    while cursor is not None:
        response = asked(f"{path}/conversions", f"&limit=4{cursor}")
        page = json.loads(response.content, parse_float=Decimal)
        seen += page["data"]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    fields = ("id", "name", "timestamp", "revenue")
    assert [tuple(row[field] for field in fields) for row in seen] == expected
    for type, header in (("text/csv", 1), ("application/x-ndjson", 0)):
        response = asked(f"{path}/conversions", headers={"Accept": type})
        assert response.getvalue().count(b"\n") == len(own) + header


def check_rates(asked, right, path, other):
    days = asked.first, asked.last
    converters, others = whom(right.within(*days)), whom(other.within(*days))
    everybody = whom([r for r in right.everything if days[0] <= r.day <= days[1]])
    for query, numerator, denominator in (
        ("", converters, everybody),
        (f"&of={other.goal.pk}", converters & others, others),
    ):
        answer = asked.data(f"{path}/rate", query)
        assert answer["numerator"]["unique_visitors"] == len(numerator)
        assert answer["denominator"]["unique_visitors"] == len(denominator)
        if denominator:
            rate = len(numerator) / len(denominator)
            assert float(answer["rate"]) == pytest.approx(rate, rel=1e-5)
        else:
            assert answer["rate"] is None
