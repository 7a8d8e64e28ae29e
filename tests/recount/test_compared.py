"""Every number of an earlier period equals a slow recount of the raw events."""

from datetime import UTC, datetime, time

import time_machine
from hypothesis import strategies as st

from krafter import clock
from tests.recount.comparison import earlier, pairs
from tests.recount.examples import in_each_world, rolled_back, site_with_goals
from tests.recount.goals import DAY, DIMENSIONS, LABELS, whom
from tests.recount.histories import (
    ATTRIBUTIONS,
    STARTS,
    histories,
    keep,
)
from tests.recount.questions import FILTERS, Asked, as_json, recount
from tests.recount.sources import attributed
from tests.recount.traffic import SPLITS, site_stats

KINDS = st.sampled_from(["previous", "previous_month", "year"])


@in_each_world(examples=4)
def test_compared_numbers_are_those_of_a_recount(ask, kinds, rules, data):
    with rolled_back():
        check_history(ask, data.draw, kinds, rules)


def check_history(ask, draw, kinds, rules):
    start = draw(st.sampled_from(STARTS))
    currencies = ("EUR", draw(st.sampled_from([None, "JPY"])))
    site, (one, other) = site_with_goals(draw, rules, currencies)
    # Late events of days that were counted already come the second time.
    now = datetime.combine(start + DAY, time(18, 17), UTC)
    history = []
    for _ in range(2):
        now += draw(st.sampled_from([0, 1, 1, 2])) * DAY
        with time_machine.travel(now, tick=False):
            more = draw(histories(kinds, start, site.timezone, now))
            keep(site, more)
            history += more
            first = start + draw(st.integers(1, 3)) * DAY
            last = first + draw(st.integers(0, 2)) * DAY
            labels = draw(st.sampled_from(["", *FILTERS])), draw(ATTRIBUTIONS)
            asked = Asked(ask, site, first, last, *labels)
            check_comparison(draw, asked, history, one, other)


def check_comparison(draw, asked, history, goal, other):
    """Every answer with the numbers of the days that a period is compared with."""
    kind, query = draw(KINDS), ""
    now = clock.now().astimezone(asked.site.zone).replace(microsecond=0)
    before = earlier(kind, asked.first, asked.last, now)
    query = f"&compare={kind}"
    right, past = recount(asked, history, goal), recount(asked, history, goal, before)
    path, days = f"/goals/{goal.pk}", (before.first, before.last)
    stats = asked.data(f"{path}/stats", query)["comparison"]
    assert judged(stats, right.stats(asked.first, asked.last)) == {
        **before.shown,
        **past.stats(*days),
    }
    for row in asked.data("/goals/stats", query)["goals"]:
        one = goal if row["id"] == str(goal.pk) else other
        expected = recount(asked, history, one, before).stats(*days)
        assert judged(row["comparison"], row) == expected
    series = asked.data(f"{path}/timeseries", query)
    rows = zip(series["timeseries"], series["comparison"]["timeseries"], strict=True)
    assert [then and judged(then, row) for row, then in rows] == [
        day and {"date": f"{day}", **past.stats(day, day)}
        for day in pairs(asked.first, asked.last, before)
    ]
    check_compared_breakdown(draw, asked, (right, past), path, query, before)
    rate = asked.data(f"{path}/rate", query)["comparison"]
    everybody = whom([r for r in past.everything if before.has(r)])
    assert rate["numerator"]["unique_visitors"] == len(whom(past.within(*days)))
    assert rate["denominator"]["unique_visitors"] == len(everybody)
    both = f"{query}&of={other.pk}"
    others = recount(asked, history, other, before)
    rate = asked.data(f"{path}/rate", both)["comparison"]
    shared = whom(past.within(*days)) & whom(others.within(*days))
    assert rate["numerator"]["unique_visitors"] == len(shared)
    check_compared_site(asked, history, query, before)


def check_compared_breakdown(draw, asked, counted, path, query, before):
    right, past = counted
    dimension = draw(st.sampled_from(sorted(DIMENSIONS)))
    now = right.breakdown(asked.first, asked.last, dimension, with_all=True)
    then = past.breakdown(before.first, before.last, dimension, with_all=True)
    values = {row["value"]: row for row in now if row["conversions"] or row["revenue"]}
    wanted = {row["value"]: row for row in then}
    shown = {v for v, row in wanted.items() if row["conversions"] or row["revenue"]}
    answer = asked.data(f"{path}/breakdown", f"&dimension={dimension}{query}")
    rows = {as_json(row["value"]): row for row in answer["breakdown"]}
    assert rows.keys() >= values.keys() | shown
    for value, row in rows.items():
        found = judged(row["comparison"], row)
        if dimension in LABELS:
            expected = wanted.get(value, {}).get("visitors", 0)
            assert found["visitors"] == expected
        expected = wanted.get(value) or {"value": value, **past.numbers([])}
        for field in ("conversions", "unique_conversions", "revenue"):
            assert found[field] == expected[field]


def check_compared_site(asked, history, query, before):
    history = attributed(history, asked.attribution)
    kept = [raw for raw in history if FILTERS[asked.filters](raw)]
    past = [raw for raw in kept if before.has(raw)]
    expected = site_stats(past, before.first, before.last, SPLITS)
    answer = asked.data("/stats", f"&dimensions={','.join(SPLITS)}{query}")
    found = judged(answer["comparison"], answer["totals"], "visitors")
    by_day = {row["date"]: row for row in expected["timeseries"]}
    rows = zip(answer["timeseries"], found.pop("timeseries"), strict=True)
    assert [then and judged(then, row, "visitors") for row, then in rows] == [
        day and by_day[f"{day}"] for day in pairs(asked.first, asked.last, before)
    ]
    assert found == {**before.shown, "totals": expected["totals"]}
    for dimension, rows in answer["breakdowns"].items():
        wanted = {row.pop("value"): row for row in expected["breakdowns"][dimension]}
        for row in rows:
            then = wanted.get(row["value"], {"pageviews": 0, "visitors": 0})
            assert judged(row["comparison"], row, "visitors") == then


def judged(then, now, field="unique_conversions"):
    """Without the interval and the verdict, which must fit the numbers."""
    apart, verdict = then["difference"], then["verdict"]
    before = then.get("totals", then)[field]
    assert apart["low"] <= now[field] - before <= apart["high"]
    expected = "more" if apart["low"] > 0 else "cannot_tell"
    assert verdict == ("fewer" if apart["high"] < 0 else expected)
    return {k: v for k, v in then.items() if k not in ("difference", "verdict")}
