"""Days that are not closed: what came is counted once, and little is remembered."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import events
from analytics.models import EventName
from analytics.questions.periods import Days
from goals.counting import open_days, stats
from goals.counting.open_days import Visitors
from tests.factories import GoalFactory, SiteFactory, store
from tests.queries import captured_queries


@given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.integers(0, 5_000))
def test_visitors_are_counted_once(some, more):
    random = Random(more)
    visitors, expected = Visitors(), set()
    for number in (*some, *(random.randrange(3_000) for _ in range(more)), *some):
        visitors.add(number)
        expected.add(number)
    assert len(visitors) == len(expected)


def conversions(goal, days=2):
    today = datetime.now(UTC).date()
    return stats.goal_stats(goal, Days(today - timedelta(days=days), today))


def test_only_what_came_is_read_again(site):
    goal = GoalFactory.create(site=site, match_type="contains", match_value="sign")
    for visitor in range(5):
        store(site, "event", "signup", visitor=visitor)
    assert conversions(goal).unique_conversions == 5
    store(site, "event", "signup", visitor=4)
    store(site, "event", "signin", visitor=5)
    with captured_queries() as found:
        answer = conversions(goal)
    assert (answer.conversions, answer.unique_conversions) == (7, 6)
    # What the answer stands on, and what came.
    assert len(found) == 2


def test_rules_that_stopped_at_different_events_are_all_right(site):
    goals = [
        GoalFactory.create(site=site, match_type="contains", match_value=value)
        for value in ("s", "si", "sig")
    ]
    for number, goal in enumerate(goals):
        store(site, "event", "sig", visitor=number)
        assert conversions(goal).conversions == number + 1
    store(site, "event", "sig", visitor=9, amount=10_000)
    today = datetime.now(UTC).date()
    rows = stats.all_goal_stats(site, Days(today, today))
    assert {(row.conversions, row.unique_conversions) for row in rows} == {(4, 4)}


def test_day_that_was_read_in_part_goes_on_from_there(site, monkeypatch):
    goal = GoalFactory.create(site=site, match_type="contains", match_value="sign")
    monkeypatch.setattr(open_days, "_CHUNK", 2)
    store(site, "event", "signup", visitor=0)
    assert conversions(goal).conversions == 1
    for visitor in range(1, 7):
        store(site, "event", "signup", visitor=visitor)
    real = events.came
    seen: list[events.Came] = []

    def broken(*args, **options):
        for event in real(*args, **options):
            if len(seen) == 5:
                raise TimeoutError
            seen.append(event)
            yield event

    with monkeypatch.context() as patch:
        patch.setattr(events, "came", broken)
        with pytest.raises(TimeoutError):
            conversions(goal)
    assert conversions(goal).conversions == 7
    assert conversions(goal).unique_conversions == 7


def test_day_whose_count_was_cut_short_is_counted_anew(site, monkeypatch):
    goal = GoalFactory.create(
        site=site, match_type="contains", match_value="sign", currency="EUR"
    )
    for visitor in range(7):
        store(site, "event", "signup", visitor=visitor, amount=10_000, currency="EUR")
    real = events.converted

    def broken(*args, **options):
        yield from list(real(*args, **options))[:5]
        raise TimeoutError

    with monkeypatch.context() as patch:
        patch.setattr(events, "converted", broken)
        with pytest.raises(TimeoutError):
            conversions(goal)
    store(site, "event", "signup", visitor=0, amount=5_000)
    answer = conversions(goal)
    assert (answer.conversions, answer.unique_conversions) == (8, 7)
    assert answer.revenue == Decimal("7.5")


def test_memory_of_visitors_has_a_bound(db, monkeypatch):
    monkeypatch.setattr(open_days._tallies, "max_length", 500)
    goals = []
    for _ in range(20):
        site = SiteFactory.create()
        goals.append(
            GoalFactory.create(site=site, match_type="contains", match_value="sign")
        )
        for visitor in range(40):
            store(site, "event", "signup", visitor=visitor)
    for _ in range(2):
        for goal in goals:
            assert conversions(goal).unique_conversions == 40
            assert open_days._tallies.length <= 500


def test_many_names_are_not_sent_to_the_database(site, monkeypatch):
    monkeypatch.setattr(open_days, "_MAX_NAMES", 3)
    goal = GoalFactory.create(site=site, match_type="contains", match_value="sign")
    for number in range(10):
        store(site, "event", f"sign {number}", visitor=number)
        store(site, "event", f"other {number}", visitor=number)
    assert EventName.objects.count() == 20
    assert conversions(goal).unique_conversions == 10
