"""Every number equals a slow recount of the raw events in Python.

Hypothesis makes the events, refunds, goals, edits, deletions, time zones and
late events.
"""

import json
from datetime import UTC, datetime, time
from decimal import Decimal

import pytest
import time_machine
from hypothesis import strategies as st

from analytics.events import Labels
from analytics.models import ApiToken
from goals.models import Goal
from tests.factories import GoalFactory, SiteFactory
from tests.recount.drafts_and_funnels import overlaps, preview
from tests.recount.examples import in_each_world, rolled_back
from tests.recount.goals import (
    DAY,
    DIMENSIONS,
    LABELS,
    Raw,
    Recount,
    channel,
    whom,
)
from tests.recount.histories import (
    ATTRIBUTIONS,
    STARTS,
    ZONES,
    histories,
    keep,
)
from tests.recount.money import money
from tests.recount.questions import (
    FILTERS,
    RATES,
    Asked,
    as_json,
    recount,
    rule_of,
)
from tests.recount.sources import SITE, attributed
from tests.recount.traffic import SPLITS, realtime, site_stats
from tests.routes import ROUTES

ROUTES_OF_A_GOAL = [route for route in ROUTES if "{goal}" in route.path]


@in_each_world(examples=16, parts=4)
def test_every_number_is_that_of_a_recount(ask, kinds, rules, data):
    with rolled_back():
        check_history(ask, data.draw, kinds, rules)


def check_history(ask, draw, kinds, rules):
    start = draw(st.sampled_from(STARTS))
    zones = [draw(st.sampled_from(ZONES)) for _ in range(2)]
    first = start + draw(st.integers(0, 1)) * DAY
    last = first + draw(st.integers(0, 3)) * DAY
    team = ApiToken.objects.get().team
    site = SiteFactory.create(team=team, **SITE)
    goals = [
        GoalFactory.create(
            site=site, **draw(st.sampled_from(rules)), currency=draw(CURRENCIES)
        )
        for _ in range(2)
    ]
    asked = Asked(
        ask,
        site,
        first,
        last,
        draw(st.sampled_from(["", *FILTERS])),
        draw(ATTRIBUTIONS),
    )
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
            check_goal(draw, asked, history, *goals)
            asked = asked._replace(
                filters=draw(st.sampled_from(["", *FILTERS])),
                attribution=draw(ATTRIBUTIONS),
            )
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


def check_site(asked, history):
    history = attributed(history, asked.attribution)
    kept = [raw for raw in history if FILTERS[asked.filters](raw)]
    answer = asked.data("/stats", f"&dimensions={','.join(SPLITS)}")
    assert answer == site_stats(kept, asked.first, asked.last, SPLITS)


def check_preview(draw, asked, history, before, rules):
    """Of a draft, or of an edit of the goal `before`."""
    fields = draw(st.sampled_from(rules)) | draw(MAYBE_CURRENCY)
    edited = {} if before is None else {"goal": f"{before.pk}"}
    kept = {} if before is None else {"currency": before.currency}
    right = Recount(history, Goal(**{**kept, **fields}), RATES)
    answer = asked.post("/goals/preview", {**edited, **fields})
    del answer["hints"]
    assert answer == {
        "period": asked.period,
        **preview(right, asked.first, asked.last, before),
        "overlaps": overlaps(
            right,
            asked.first,
            asked.last,
            asked.site.goals.undeleted().exclude(pk=before and before.pk),
        ),
    }


def check_goal(draw, asked, history, goal, other):
    first, last = asked.first, asked.last
    right, path = recount(asked, history, goal), f"/goals/{goal.pk}"
    assert asked.data(f"{path}/stats") == right.stats(first, last)
    check_money(asked, right, path)
    unfiltered = asked._replace(filters="")
    check_money(unfiltered, recount(unfiltered, history, goal), path)
    interval = draw(INTERVALS)
    series = asked.data(f"{path}/timeseries", f"&interval={interval}")
    assert series["timeseries"] == right.days(first, last, interval)
    hours = asked.data(f"{path}/timeseries", "&interval=hour")["timeseries"]
    assert hours == right.hours(first, last, asked.site.zone)
    dimension = draw(st.sampled_from(sorted(DIMENSIONS)))
    include = draw(st.booleans())
    check_breakdown(asked, right, path, dimension, draw(SORTS), include)
    check_conversions(asked, right, path)
    check_rates(asked, right, path, recount(asked, history, other))


def check_money(asked, right, path):
    days = asked.first, asked.last
    parts = money(right.within(*days), right.goal.currency, RATES)
    answer = asked.data(f"{path}/stats", "&detail=money")
    assert answer == {**right.stats(*days), "money": parts}


def check_breakdown(asked, right, path, dimension, sort, include):
    is_label = dimension in LABELS
    query = f"&dimension={dimension}&sort={sort}{'&include=visitors' * include}"
    answer = asked.data(f"{path}/breakdown", query)
    rows = [{**row, "value": as_json(row["value"])} for row in answer["breakdown"]]
    for row in rows if is_label or include else ():
        parts, whole = row["unique_conversions"], row["visitors"]
        assert row.pop("too_few_to_compare") is (whole < 30)
        rate, interval = row.pop("rate"), row.pop("interval")
        if whole:
            assert 0 <= interval["low"] <= rate <= interval["high"] <= 1
            assert float(rate) == pytest.approx(parts / whole, rel=1e-5)
        else:
            assert rate is interval is None
    expected = right.breakdown(asked.first, asked.last, dimension, with_all=include)
    assert sorted(rows, key=by_value) == sorted(expected, key=by_value)
    # They add up to the stats, exactly.
    stats = right.stats(asked.first, asked.last)
    assert sum(row["conversions"] for row in rows) == stats["conversions"]
    if right.goal.currency:
        assert sum(row["revenue"] for row in rows) == stats["revenue"]
    column, sign = sort.removeprefix("-"), -1 if sort.startswith("-") else 1
    order = [sign * (row[column] or 0) for row in rows]
    assert order == sorted(order)
    assert answer["total_values"] == len(expected)
    assert answer["other"] is answer["next_cursor"] is None
    check_pages(asked, path, query, answer["breakdown"], stats)


def check_pages(asked, path, query, rows, stats):
    """Two rows at a time are the same, and what is not shown is other."""
    seen, cursor = [], ""
    while cursor is not None:
        page = asked.data(f"{path}/breakdown", f"{query}&limit=2{cursor}")
        own, other = page["breakdown"], page["other"]
        seen += own
        if len(rows) > len(own):
            assert other["values"] == len(rows) - len(own)
            conversions = sum(row["conversions"] for row in own)
            assert other["conversions"] == stats["conversions"] - conversions
            if stats["revenue"] is not None:
                revenue = sum(row["revenue"] for row in own)
                assert other["revenue"] == stats["revenue"] - revenue
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert seen == rows


def by_value(row):
    return row["value"]


def check_conversions(asked, right, path):
    raws = right.within(asked.first, asked.last)
    own = [raw for raw in raws if not raw.refunds]
    assert ledger(asked, path) == newest_first(own)
    both = ledger(asked, path, "&include=refunds")
    times = [row["timestamp"] for row in both]
    assert times == sorted(times, reverse=True)
    for is_refund in (False, True):
        some = [raw for raw in raws if raw.refunds is is_refund]
        shown = [row for row in both if (row["refund_of"] is not None) is is_refund]
        assert shown == newest_first(some)
    for type, header in (("text/csv", 1), ("application/x-ndjson", 0)):
        for query, rows in (("", own), ("&include=refunds", raws)):
            found = asked(f"{path}/conversions", query, headers={"Accept": type})
            assert found.getvalue().count(b"\n") == len(rows) + header


def ledger(asked, path, query=""):
    """Of all pages, what the recount knows of."""
    seen, cursor = [], ""
    while cursor is not None:
        response = asked(f"{path}/conversions", f"&limit=4{query}{cursor}")
        page = json.loads(response.content, parse_float=Decimal)
        seen += page["data"]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    return [{field: row[field] for field in LEDGER} for row in seen]


LEDGER = (
    *("id", "refund_of", "name", "timestamp", "revenue", "entry_path", "visit"),
    *("visit_started_at", "channel", *Labels._fields),
)


def newest_first(raws):
    """As rows of the ledger; of one moment the one that came last comes first."""
    order = sorted(range(len(raws)), key=lambda n: (raws[n].at, n), reverse=True)
    return [
        {
            "id": None if raw.refunds else raw.event_id,
            "refund_of": raw.event_id if raw.refunds else None,
            "name": raw.name,
            "timestamp": second(raw.at),
            "revenue": raw.amount,
            "entry_path": raw.entry,
            "visit": raw.visit,
            "visit_started_at": second(raw.began),
            "channel": channel(raw.labels),
            **{name: text or None for name, text in raw.labels._asdict().items()},
        }
        for raw in (raws[n] for n in order)
    ]


def second(at):
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


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
