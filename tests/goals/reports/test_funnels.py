"""POST /sites/:key/funnels/query."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import events
from goals.matching import Rule
from goals.reports.funnels import Step, funnel
from tests.factories import GoalFactory, SiteFactory, store
from tests.recount.drafts_and_funnels import funnel_visitors
from tests.recount.goals import Raw

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
PRICING = {"type": "pageview", "match_type": "exact", "match_value": "/pricing"}
SIGNUP = {"type": "event", "match_type": "exact", "match_value": "signup"}
BUY = {"type": "custom", "match_type": "exact", "match_value": "buy"}


@pytest.fixture
def ask(reader, site):
    def ask(*steps, status=200, **body):
        with time_machine.travel(NOON + timedelta(hours=6), tick=False):
            path = f"/sites/{site.site_key}/funnels/query"
            response = reader("POST", path, {"steps": steps, **body})
        assert response.status_code == status, response.content
        return response.json()["data" if status == 200 else "details"]

    return ask


@pytest.fixture
def walk(site):
    """Store what a visitor did: (minutes after noon, type, name)."""

    def walk(visitor, *moves):
        for minutes, type, name in moves:
            at = NOON + timedelta(minutes=minutes)
            store(site, type, name, at=at, visitor=visitor)

    return walk


def visitors(answer):
    return [step["visitors"] for step in answer["steps"]]


def test_steps_tell_who_went_on_and_who_dropped_off(ask, walk, site):
    goal = GoalFactory.create(site=site)
    pricing, signup = (0, "pageview", "/pricing"), (5, "event", "signup")
    walk(1, pricing, signup, (9, "goal", "buy"))
    walk(2, pricing, signup)
    walk(3, pricing)
    walk(4, signup, (9, "goal", "buy"))
    assert ask(PRICING, {"goal": str(goal.id)}, BUY, period="7d") == {
        "period": {"from": "2026-03-03", "to": "2026-03-10"},
        "window_minutes": None,
        "steps": [
            {
                "goal": None,
                **PRICING,
                "visitors": 3,
                "dropped": 0,
                "share_of_previous": 1.0,
                "share_of_first": 1.0,
            },
            {
                "goal": str(goal.id),
                **SIGNUP,
                "visitors": 2,
                "dropped": 1,
                "share_of_previous": 0.666667,
                "share_of_first": 0.666667,
            },
            {
                "goal": None,
                **BUY,
                "visitors": 1,
                "dropped": 1,
                "share_of_previous": 0.5,
                "share_of_first": 0.333333,
            },
        ],
    }


def test_nobody_has_no_shares(ask):
    answer = ask(PRICING, SIGNUP)
    assert visitors(answer) == [0, 0]
    assert answer["steps"][0]["share_of_first"] is None


def test_order_counts(ask, walk):
    walk(1, (5, "event", "signup"), (9, "pageview", "/pricing"))
    assert visitors(ask(PRICING, SIGNUP)) == [1, 0]


def test_same_moment_is_ordered_as_stored(ask, walk):
    walk(1, (0, "pageview", "/pricing"), (0, "event", "signup"))
    walk(2, (0, "event", "signup"), (0, "pageview", "/pricing"))
    assert visitors(ask(PRICING, SIGNUP)) == [2, 1]


def test_one_event_is_one_step(ask, walk):
    walk(1, (0, "pageview", "/pricing"))
    walk(2, (0, "pageview", "/pricing"), (1, "pageview", "/pricing"))
    assert visitors(ask(PRICING, PRICING)) == [2, 1]


def test_eight_steps_are_counted(ask, walk):
    walk(1, *[(minute, "pageview", "/pricing") for minute in range(7)])
    assert visitors(ask(*[PRICING] * 8)) == [1] * 7 + [0]


def test_days_are_apart(ask, walk):
    walk(1, (0, "pageview", "/pricing"), (-24 * 60, "pageview", "/pricing"))
    walk(1, (-23 * 60, "event", "signup"))
    assert visitors(ask(PRICING, SIGNUP)) == [2, 1]


def test_window_runs_from_the_first_step_and_includes_its_end(ask, walk):
    walk(1, (0, "pageview", "/pricing"), (20, "event", "signup"), (30, "goal", "buy"))
    walk(2, (0, "pageview", "/pricing"), (20, "event", "signup"), (31, "goal", "buy"))
    assert visitors(ask(PRICING, SIGNUP, BUY, window_minutes=30)) == [2, 2, 1]


def test_later_start_may_win(ask, walk):
    walk(
        1,
        (0, "pageview", "/pricing"),
        (40, "pageview", "/pricing"),
        (50, "event", "signup"),
    )
    assert visitors(ask(PRICING, SIGNUP, window_minutes=30)) == [1, 1]


def test_earlier_start_may_win(ask, walk):
    walk(
        1,
        (0, "pageview", "/pricing"),
        (10, "event", "signup"),
        (20, "pageview", "/pricing"),
        (30, "goal", "buy"),
    )
    assert visitors(ask(PRICING, SIGNUP, BUY, window_minutes=30)) == [1, 1, 1]


@pytest.mark.parametrize(
    ("steps", "body", "field"),
    [
        ([PRICING], {}, "steps"),
        ([PRICING] * 9, {}, "steps"),
        ([PRICING, "x"], {}, "steps.1"),
        ([PRICING, {"type": "event"}], {}, "steps.1.match_type"),
        ([PRICING, {**SIGNUP, "name": "x"}], {}, "steps.1.name"),
        (
            [{**PRICING, "match_type": "regex", "match_value": "("}, BUY],
            {},
            "steps.0.match_value",
        ),
        ([PRICING, {"goal": "x"}], {}, "steps.1.goal"),
        ([PRICING, {"goal": "x", "type": "event"}], {}, "steps.1.type"),
        ([PRICING, SIGNUP], {"window_minutes": 0}, "window_minutes"),
        ([PRICING, SIGNUP], {"window_minutes": 1_441}, "window_minutes"),
        ([PRICING, SIGNUP], {"window_minutes": "30"}, "window_minutes"),
        ([PRICING, SIGNUP], {"window_minutes": True}, "window_minutes"),
        ([PRICING, SIGNUP], {"windows": 5}, "windows"),
        ([PRICING, SIGNUP], {"period": "1d"}, "period"),
    ],
)
def test_wrong_field_is_named(ask, steps, body, field):
    assert field in ask(*steps, status=422, **body)


def test_steps_are_required(reader, site):
    path = f"/sites/{site.site_key}/funnels/query"
    assert "steps" in reader("POST", path, {}).json()["details"]
    assert reader("POST", path).status_code == 400


def test_goal_of_another_site_does_not_exist(ask, site):
    other = GoalFactory.create(site=SiteFactory.create(team=site.team))
    answer = ask(PRICING, {"goal": str(other.id)}, status=422)
    assert answer == {"steps.1.goal": ["No such goal on this site."]}


MOVES = st.lists(
    st.tuples(
        st.sampled_from([date(2026, 3, 9), date(2026, 3, 10)]),
        st.integers(1, 2),
        # Around the ends of windows, down to the microsecond.
        st.builds(
            lambda minutes, microseconds: timedelta(0, 60 * minutes, microseconds),
            st.integers(0, 6),
            st.sampled_from([-500_000, -1, 0, 1, 500_000]),
        ),
        st.sampled_from("abcd"),
    ),
    max_size=14,
)
STEPS = st.lists(st.sets(st.sampled_from("abc")), min_size=2, max_size=4)


@pytest.mark.django_db
@settings(max_examples=100, deadline=None)
@given(MOVES, STEPS, st.none() | st.integers(1, 6))
def test_answer_equals_a_recount_of_all_ways(moves, steps, window):
    site = SiteFactory.create()
    raws = []
    for day, visitor, moment, name in moves:
        at = datetime.combine(day, NOON.timetz()) + moment
        store(site, "event", name, at=at, visitor=visitor)
        raws.append(Raw("event", name, day, at, visitor))
    rules = [
        Rule("event", "regex", f"^[{''.join(sorted(step))}]$" if step else "x")
        for step in steps
    ]
    scope = events.Selection(site.pk, date(2026, 3, 9), date(2026, 3, 10))
    answer = msgspec.to_builtins(funnel(scope, [Step(rule) for rule in rules], window))
    expected = funnel_visitors(raws, rules, timedelta(minutes=window or 1_440))
    assert visitors(answer) == expected
    dropped = [step["dropped"] for step in answer["steps"]]
    assert sum(dropped) == expected[0] - expected[-1]
