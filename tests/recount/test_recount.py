"""Every number equals a slow recount of the raw events in Python.

Hypothesis makes the events, refunds, goals, edits, deletions, time zones and
late events.
"""

import json
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analytics import events
from analytics.models import ApiToken
from goals.counting import stats
from goals.models import Goal
from goals.money import rates
from tests.conftest import ApiClient
from tests.factories import GoalFactory, SiteFactory, TeamFactory
from tests.recount.drafts_and_funnels import funnel, preview
from tests.recount.goals import DAY, DIMENSIONS, Raw, Recount, happened, whom
from tests.recount.histories import STARTS, WORLDS, ZONES, histories, keep
from tests.recount.money import money
from tests.recount.questions import FILTERS, Asked
from tests.recount.traffic import realtime, site_stats
from tests.routes import ROUTES

RATES = {
    (code, start + DAY): rate
    for start in STARTS
    for code, rate in (("USD", "1.25"), ("JPY", "160.5"))
}
# Of the site's traffic.
SPLITS = ["path", "country", "os", "utm_source"]
ROUTES_OF_A_GOAL = [route for route in ROUTES if "{goal}" in route.path]


@pytest.fixture
def ask(db):
    rates.store(RATES)
    _, secret = ApiToken.issue(team=TeamFactory.create(), name="r", scopes=["*"])
    return ApiClient(secret)


# One test of each world, so that two processes share the work.
@pytest.mark.parametrize(("kinds", "rules"), WORLDS, ids=["pages", "names"])
@settings(
    max_examples=16,
    deadline=None,
    # Shrinking would take minutes, after which the whole run is ended.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    report_multiple_bugs=False,
    # Each example is rolled back.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_every_number_is_that_of_a_recount(ask, kinds, rules, data):
    try:
        with transaction.atomic():
            check_history(ask, data.draw, kinds, rules)
            transaction.set_rollback(True)
    finally:
        # The next site may get the same number.
        events.forget()
        stats.forget()


def check_history(ask, draw, kinds, rules):
    start = draw(st.sampled_from(STARTS))
    zones = [draw(st.sampled_from(ZONES)) for _ in range(2)]
    first = start + draw(st.integers(0, 1)) * DAY
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
    # A day has just begun in Kathmandu: "right now" is two days there.
    now = datetime.combine(start + DAY, time(18, 17), UTC)
    for zone in zones:
        # What comes after the first questions: days that are over, events that
        # are late, another zone, another rule, another goal.
        now += draw(st.sampled_from([0, 0, 1, 9])) * DAY
        with time_machine.travel(now, tick=False):
            site.timezone = zone
            site.save(update_fields=["timezone"])
            more = draw(histories(kinds, start, zone, now))
            keep(site, more)
            history += more
            check_all(asked, history, goals)
            check_site(asked, history)
            check_site(asked._replace(filters=""), history)
            assert asked.send("GET", "/realtime") == realtime(history, now)
            check_preview(draw, asked, history, None, rules)
            check_preview(draw, asked, history, goals[0], rules)
            for _ in range(6):
                check_funnel(draw, asked, history, goals, rules)
            check_goal(draw, asked, history, *goals)
            change = draw(st.sampled_from([edit, replace]))
            goals = change(draw, asked, history, goals, rules)
    with time_machine.travel(now, tick=False):
        check_goal(draw, asked, history, *goals)


def edit(draw, asked, history, goals, rules):
    fields = draw(st.sampled_from(rules)) | draw(MAYBE_CURRENCY)
    asked.send("PATCH", f"/goals/{goals[0].pk}", fields)
    goals[0].refresh_from_db()
    return goals


def replace(draw, asked, history, goals, rules):
    """Delete a goal, and create it again: its history is there at once."""
    old, other = goals
    asked.send("DELETE", f"/goals/{old.pk}")
    for route in ROUTES_OF_A_GOAL:
        url = route.url(site=asked.site.site_key, goal=old.pk)
        assert asked.ask(route.method, url, route.body or b"").status_code == 404
    check_all(asked, history, [other])
    fields = {"name": old.name, "currency": old.currency, **rule_of(old)}
    made = asked.send("POST", "/goals", fields, status=201)
    assert {field: made[field] for field in fields} == fields
    new = Goal.objects.get(pk=made["id"])
    answer = asked.data(f"/goals/{new.pk}/stats")
    assert answer == recount(asked, history, new).stats(asked.first, asked.last)
    check_all(asked, history, [other, new])
    return [new, other]


def rule_of(goal):
    fields = ("type", "match_type", "match_value")
    return {field: getattr(goal, field) for field in fields}


CURRENCIES = st.sampled_from([None, "EUR", "USD", "JPY"])
INTERVALS = st.sampled_from(["day", "week", "month"])
MAYBE_CURRENCY = st.fixed_dictionaries({}, optional={"currency": CURRENCIES})
SORTS = st.sampled_from(["-conversions", "unique_conversions", "-revenue"])


def check_all(asked, history, goals):
    expected = [
        {
            "id": str(goal.pk),
            "name": goal.name,
            "currency": goal.currency,
            **recount(asked, history, goal).stats(asked.first, asked.last),
        }
        # Goals made within the same moment are in the order of their ids.
        for goal in sorted(goals, key=lambda goal: (goal.created_at, goal.pk))
    ]
    assert asked.data("/goals/stats")["goals"] == expected


def recount(asked, history, goal):
    return Recount(history, goal, RATES, FILTERS[asked.filters])


def check_site(asked, history):
    kept = [raw for raw in history if FILTERS[asked.filters](raw.labels)]
    answer = asked.data("/stats", f"&dimensions={','.join(SPLITS)}")
    assert answer == site_stats(kept, asked.first, asked.last, SPLITS)


def check_preview(draw, asked, history, before, rules):
    """Of a draft, or of an edit of the goal `before`."""
    fields = draw(st.sampled_from(rules)) | draw(MAYBE_CURRENCY)
    edited = {} if before is None else {"goal": f"{before.pk}"}
    kept = {} if before is None else {"currency": before.currency}
    right = Recount(history, Goal(**{**kept, **fields}), RATES)
    assert asked.post("/goals/preview", {**edited, **fields}) == {
        "period": asked.period,
        **preview(right, asked.first, asked.last, before),
    }


def check_funnel(draw, asked, history, goals, rules):
    """Of rules and goals; the same one may be several steps."""
    choices = [*(Goal(**rule) for rule in rules), *goals]
    steps = draw(st.lists(st.sampled_from(choices), min_size=2, max_size=3))
    ids = [f"{step.pk}" if step in goals else None for step in steps]
    minutes = draw(st.sampled_from([None, 5, 30, 30]))
    window = timedelta.max if minutes is None else timedelta(minutes=minutes)
    body = {
        "steps": [
            {"goal": id} if id else rule_of(step)
            for id, step in zip(ids, steps, strict=True)
        ],
        "window_minutes": minutes,
    }
    rows = funnel(happened(history, asked.first, asked.last), steps, window)
    assert asked.post("/funnels/query", body) == {
        "period": asked.period,
        "window_minutes": minutes,
        "steps": [
            {"goal": id, **rule_of(step), **row}
            for id, step, row in zip(ids, steps, rows, strict=True)
        ],
    }


def check_goal(draw, asked, history, goal, other):
    first, last = asked.first, asked.last
    right, path = recount(asked, history, goal), f"/goals/{goal.pk}"
    before = first - (last - first) - DAY, first - DAY
    comparison = {"from": f"{before[0]}", "to": f"{before[1]}"}
    assert asked.data(f"{path}/stats", "&compare=previous") == {
        **right.stats(first, last),
        "comparison": {"period": comparison, **right.stats(*before)},
    }
    check_money(asked, right, path)
    unfiltered = asked._replace(filters="")
    check_money(unfiltered, recount(unfiltered, history, goal), path)
    interval = draw(INTERVALS)
    series = asked.data(f"{path}/timeseries", f"&interval={interval}")
    assert series["timeseries"] == right.days(first, last, interval)
    hours = asked.data(f"{path}/timeseries", "&interval=hour")["timeseries"]
    assert hours == right.hours(first, last, asked.site.zone)
    dimension = draw(st.sampled_from(sorted(DIMENSIONS)))
    check_breakdown(asked, right, path, dimension, draw(SORTS))
    check_conversions(asked, right, path)
    check_rates(asked, right, path, recount(asked, history, other))


def check_money(asked, right, path):
    days = asked.first, asked.last
    parts = money(right.within(*days), right.goal.currency, RATES)
    answer = asked.data(f"{path}/stats", "&detail=money")
    assert answer == {**right.stats(*days), "money": parts}


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
