"""Journeys, names and properties of a site, and rates by them: each a slow recount.

Events come late and in any order: most are stored after others that happened later.
"""

from datetime import UTC, datetime, time
from decimal import Decimal

import pytest
import time_machine
from hypothesis import strategies as st

from tests.recount.counting import Compared
from tests.recount.examples import in_each_world, rolled_back, site_with_goals
from tests.recount.goals import DAY, each, happened, whom
from tests.recount.histories import ATTRIBUTIONS, STARTS, histories, keep
from tests.recount.journeys import journeys
from tests.recount.questions import FILTERS, Asked, as_json, recount
from tests.recount.sources import attributed
from tests.recount.traffic import sent, site_stats

# Of the site's statistics, beside those of `tests.recount.traffic.SPLITS`.
SPLITS = ["name", "props.k"]


@in_each_world(examples=6)
def test_site_is_that_of_a_recount(ask, kinds, rules, record_property, data):
    def check(asked, history, goals, compared):
        check_site(asked, history, compared)
        check_site(asked._replace(filters=""), history, compared)
        check_names(asked._replace(filters="", attribution=""), history, compared)

    with rolled_back():
        record_property("figures", check_history(ask, data.draw, rules, kinds, check))


@in_each_world(examples=6)
def test_journeys_and_rates_are_of_a_recount(ask, kinds, rules, record_property, data):
    def check(asked, history, goals, compared):
        for goal in goals:
            check_journeys(asked, history, goal, compared)
            for dimension in ("path", "name", "props.k"):
                check_rates(asked, history, goal, dimension, compared)

    with rolled_back():
        record_property("figures", check_history(ask, data.draw, rules, kinds, check))


def check_history(ask, draw, rules, kinds, check):
    """How many figures of a history that grows were compared."""
    compared = Compared()
    start = draw(st.sampled_from(STARTS))
    site, goals = site_with_goals(draw, rules, ("EUR", None))
    now = datetime.combine(start + DAY, time(18, 17), UTC)
    history = []
    for _ in range(3):
        # The second and third time, days that were counted and kept change.
        now += draw(st.sampled_from([0, 1, 1, 2])) * DAY
        with time_machine.travel(now, tick=False):
            more = draw(histories(kinds, start, site.timezone, now))
            keep(site, more)
            history += more
            first = start + draw(st.integers(0, 2)) * DAY
            last = first + draw(st.integers(0, 3)) * DAY
            labels = draw(st.sampled_from(["", *FILTERS])), draw(ATTRIBUTIONS)
            asked = Asked(ask, site, first, last, *labels)
            check(asked, history, goals, compared)
    return compared.figures


def check_site(asked, history, compared):
    history = attributed(history, asked.attribution)
    kept = [raw for raw in history if FILTERS[asked.filters](raw)]
    expected = site_stats(kept, asked.first, asked.last, SPLITS)
    expected["other"] = {name: {"values": 0, "pageviews": 0} for name in SPLITS}
    query = f"&dimensions={','.join(SPLITS)}&include=other"
    compared(asked.data("/stats", query), expected)


def check_names(asked, history, compared):
    expected = sent(history, asked.first, asked.last)
    rows = asked.data("/names", "&sort=name")
    ids = [(row.pop("id"), row.pop("goals")) for row in rows]
    assert len(ids) == len(expected)
    # Names that several types have are in the order in which they came.
    by_text = sorted(rows, key=lambda row: (row["name"], row["type"]))
    compared(by_text, expected)
    for row, (id, _) in zip(rows, ids, strict=True):
        answer = asked.data(f"/names/{id}/stats")
        raws = [r for r in history if (r.type, r.name) == (row["type"], row["name"])]
        compared(
            answer["timeseries"],
            [
                {
                    "date": f"{day}",
                    "events": len(happened(raws, day, day)),
                    "visitors": len(whom(happened(raws, day, day))),
                }
                for day in each(asked.first, asked.last)
            ],
        )


def check_journeys(asked, history, goal, compared):
    answer = asked.data(f"/goals/{goal.pk}/journeys", "&limit=100")
    assert answer.pop("period") == asked.period
    assert answer.pop("attribution") == (asked.attribution or "last")
    times = [way["journeys"] for way in answer["ways"]]
    assert times == sorted(times, reverse=True)
    answer["ways"] = sorted(
        (-way["journeys"], tuple(way["pages"])) for way in answer["ways"]
    )
    history = attributed(history, asked.attribution)
    keeps = FILTERS[asked.filters]
    compared(answer, journeys(history, goal, keeps, asked.first, asked.last))


def check_rates(asked, history, goal, dimension, compared):
    query = f"&dimension={dimension}&include=visitors&limit=1000"
    answer = asked.data(f"/goals/{goal.pk}/breakdown", query)
    rows = [{**row, "value": as_json(row["value"])} for row in answer["breakdown"]]
    for row in rows:
        converters, visitors = row["unique_conversions"], row["visitors"]
        rate, interval = row.pop("rate"), row.pop("interval")
        assert row.pop("too_few_to_compare") is (visitors < 30)
        if visitors:
            assert 0 <= interval["low"] <= rate <= interval["high"] <= 1
            assert float(rate) == pytest.approx(converters / visitors, rel=1e-5)
        else:
            assert rate is interval is None
    right = recount(asked, history, goal)
    expected = right.breakdown(asked.first, asked.last, dimension, with_all=True)
    compared(
        sorted(rows, key=lambda row: row["value"]),
        sorted(expected, key=lambda row: row["value"]),
    )
    # They add up to the stats, exactly.
    stats = right.stats(asked.first, asked.last)
    compared(sum(row["conversions"] for row in rows), stats["conversions"])
    if goal.currency:
        revenue = sum((row["revenue"] for row in rows), Decimal())
        compared(revenue, stats["revenue"])
