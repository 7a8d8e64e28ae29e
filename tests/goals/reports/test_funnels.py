"""POST /sites/:key/funnels/query."""

from datetime import UTC, date, datetime, timedelta
from time import monotonic

import msgspec
import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import events
from goals.matching import Rule
from goals.reports import funnels
from goals.reports.funnels import Step, funnel
from tests.factories import GoalFactory, SiteFactory, store
from tests.recount.drafts_and_funnels import at_each, attempts, median
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
        "attribution": "last",
        "window_minutes": None,
        "steps": [
            {
                "goal": None,
                **PRICING,
                "visitors": 3,
                "dropped": 0,
                "share_of_previous": 1.0,
                "share_of_first": 1.0,
                "median_seconds": None,
            },
            {
                "goal": str(goal.id),
                **SIGNUP,
                "visitors": 2,
                "dropped": 1,
                "share_of_previous": 0.666667,
                "share_of_first": 0.666667,
                "median_seconds": 300,
            },
            {
                "goal": None,
                **BUY,
                "visitors": 1,
                "dropped": 1,
                "share_of_previous": 0.5,
                "share_of_first": 0.333333,
                "median_seconds": 240,
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


def medians(answer):
    return [step["median_seconds"] for step in answer["steps"]]


def test_median_is_of_those_who_came_to_the_step(ask, walk):
    for visitor, minutes in enumerate((1, 2, 10, 60)):
        walk(visitor, (0, "pageview", "/pricing"), (minutes, "event", "signup"))
    walk(9, (0, "pageview", "/pricing"))
    # Of an even number the lower one of the two in the middle.
    assert medians(ask(PRICING, SIGNUP, BUY)) == [None, 120, None]


def test_fractions_of_a_second_are_cut_after_subtracting(ask, site):
    for visitor, begun in enumerate((0, 0.2, 0.9)):
        at = NOON + timedelta(seconds=begun)
        store(site, "pageview", "/pricing", at=at, visitor=visitor)
        store(site, "event", "signup", at=at + timedelta(0, 1.95), visitor=visitor)
    assert medians(ask(PRICING, SIGNUP)) == [None, 1]


def test_time_is_that_of_the_attempt_that_gets_furthest(ask, walk):
    # The first one would be over time, and the last one sees no signup.
    walk(
        1,
        (0, "pageview", "/pricing"),
        (40, "pageview", "/pricing"),
        (45, "pageview", "/pricing"),
        (50, "event", "signup"),
        (51, "pageview", "/pricing"),
        (55, "event", "signup"),
    )
    assert medians(ask(PRICING, SIGNUP, window_minutes=30)) == [None, 600]
    assert medians(ask(PRICING, SIGNUP)) == [None, 3_000]


@pytest.fixture
def arrive(site):
    """Store an event with labels: (visitor, minutes, type, name)."""

    def arrive(visitor, minutes, type, name, *, page=None, props=None, **labels):
        at = NOON + timedelta(minutes=minutes)
        own = {"visitor": visitor, "page": page, "props": props}
        store(site, type, name, at=at, labels=events.Labels(**labels), **own)

    return arrive


@pytest.fixture
def arrivals(arrive):
    """From two sources to the prices; the sign-ups come without any."""
    for visitor in (1, 2, 3):
        arrive(visitor, 0, "pageview", "/", referrer="www.google.com", country="DE")
    arrive(1, 1, "pageview", "/pricing", referrer="news.example", country="DE")
    arrive(2, 1, "pageview", "/pricing", country="FR")
    arrive(3, 1, "pageview", "/pricing")
    arrive(4, 1, "pageview", "/pricing", utm_source="mail")
    for visitor in (1, 2, 4):
        arrive(visitor, 5, "event", "signup", referrer="other.example", page="/pricing")


def rows(answer):
    return [(row["value"], *row["visitors"]) for row in answer["breakdown"]]


def test_value_is_that_of_the_first_step(ask, arrivals):
    answer = ask(PRICING, SIGNUP, dimension="referrer")
    assert rows(answer) == [
        ("Google", 2, 1),
        ("news.example", 1, 1),
        (None, 1, 1),
    ]
    assert answer["attribution"] == "last"
    assert answer["dimension"] == "referrer"
    assert answer["total_values"] == 3
    assert answer["other"] is None
    assert answer["breakdown"][0]["share_of_first"] == 0.5
    first = ask(PRICING, SIGNUP, dimension="referrer", attribution="first")
    assert rows(first) == [("Google", 3, 2), (None, 1, 1)]
    own = ask(PRICING, SIGNUP, dimension="referrer", attribution="event")
    assert rows(own) == [(None, 3, 2), ("news.example", 1, 1)]


@pytest.mark.parametrize(
    ("dimension", "expected"),
    [
        ("country", [(None, 1, 1), ("DE", 2, 1), ("FR", 1, 1)]),
        ("channel", [("Search", 2, 1), ("Other campaign", 1, 1), ("Referral", 1, 1)]),
        ("utm_source", [(None, 3, 2), ("mail", 1, 1)]),
        ("entry_path", [("/", 3, 2), ("/pricing", 1, 1)]),
        ("path", [("/pricing", 4, 3)]),
        ("name", [("/pricing", 4, 3)]),
        ("props.plan", [(None, 4, 3)]),
    ],
)
def test_visitors_are_told_apart_by_any_dimension(ask, arrivals, dimension, expected):
    answer = ask(PRICING, SIGNUP, dimension=dimension)
    assert sorted(rows(answer), key=str) == sorted(expected, key=str)


def test_path_and_properties_are_the_first_events_own(ask, arrive):
    for visitor, plan in enumerate(["1", 1, True, None, 1.0]):
        arrive(visitor, 0, "event", "signup", page="/a", props={"plan": plan})
        arrive(visitor, 1, "goal", "buy", page="/b", props={"plan": "other"})
    arrive(9, 0, "event", "signup")
    by_plan = rows(ask(SIGNUP, BUY, dimension="props.plan"))
    assert by_plan == [(1, 2, 2), (None, 2, 1), ("1", 1, 1), (True, 1, 1)]
    # 1 and true are equal in Python.
    assert [type(value) for value, *_ in by_plan] == [int, type(None), str, bool]
    assert rows(ask(SIGNUP, BUY, dimension="path")) == [("/a", 5, 5), (None, 1, 0)]


def test_filters_are_of_the_first_step(ask, arrivals):
    assert visitors(ask(PRICING, SIGNUP, country="DE")) == [2, 1]
    assert visitors(ask(PRICING, SIGNUP, country="!DE")) == [2, 2]
    assert visitors(ask(PRICING, SIGNUP, referrer="Google")) == [2, 1]
    first = ask(PRICING, SIGNUP, referrer="Google", attribution="first")
    assert visitors(first) == [3, 2]
    # It filters nothing where it is a later step's.
    assert visitors(ask(PRICING, SIGNUP, referrer="other.example")) == [0, 0]
    assert medians(ask(PRICING, SIGNUP, country="FR")) == [None, 240]


def test_filter_and_row_of_the_same_value_agree(ask, arrivals):
    for name, *expected in rows(ask(PRICING, SIGNUP, dimension="channel")):
        assert visitors(ask(PRICING, SIGNUP, channel=name)) == expected


def test_filter_does_not_make_a_later_event_the_first(ask, arrive):
    # The source at the first look at the prices counts, not that of the second.
    arrive(1, 0, "pageview", "/pricing", referrer="www.google.com")
    arrive(1, 1, "pageview", "/pricing", referrer="news.example")
    assert visitors(ask(PRICING, SIGNUP, referrer="news.example")) == [0, 0]
    assert rows(ask(PRICING, SIGNUP, dimension="referrer")) == [("Google", 1, 0)]


def test_values_beyond_the_first_are_other(ask, arrive, monkeypatch):
    monkeypatch.setattr(funnels, "MOST_VALUES", 2)
    for visitor, plan in enumerate("aaabbcd"):
        arrive(visitor, 0, "event", "signup", props={"plan": plan})
        arrive(visitor, 1 + visitor % 2, "goal", "buy")
    answer = ask(SIGNUP, BUY, dimension="props.plan")
    assert rows(answer) == [("a", 3, 3), ("b", 2, 2)]
    assert answer["total_values"] == 4
    other = {"values": 2, "visitors": [2, 2], "share_of_first": 1.0}
    assert answer["other"] == other


def test_nobody_has_no_values(ask):
    answer = ask(PRICING, SIGNUP, dimension="country")
    assert answer["breakdown"] == []
    assert answer["total_values"] == 0
    assert answer["other"] is None
    assert "breakdown" not in ask(PRICING, SIGNUP)


def test_dimension_that_is_none_is_told_which_there_are(ask):
    (told,) = ask(PRICING, SIGNUP, dimension="shoe", status=422)["dimension"]
    for name in ("path", "name", "channel", "entry_path", "props.<key>"):
        assert name in told


def test_one_visitor_with_many_events_takes_no_longer_than_many(ask, site):
    """Quadratic time would be a thousand times as long."""
    from_noon = [NOON + timedelta(0, 0, 1_000 * number) for number in range(20_000)]
    for name in ("/pricing", "/other"):
        events.append(
            [
                events.NewEvent(
                    site_id=site.pk,
                    day=NOON.date(),
                    at=at,
                    type="pageview",
                    name=name,
                    visitor=1,
                    labels=events.Labels("www.google.com"),
                )
                for at in from_noon
            ]
        )
    begun = monotonic()
    answer = ask(*[PRICING] * 3, dimension="channel", window_minutes=5)
    assert rows(answer) == [("Search", 1, 1, 1)]
    assert monotonic() - begun < 20


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
        ([PRICING, SIGNUP], {"attribution": "none"}, "attribution"),
        ([PRICING, SIGNUP], {"dimension": ["country"]}, "dimension"),
        ([PRICING, SIGNUP], {"dimension": "props."}, "dimension"),
        ([PRICING, SIGNUP], {"country": ["DE"]}, "country"),
        ([PRICING, SIGNUP], {"country": None}, "country"),
        ([PRICING, SIGNUP], {"channel": "Nowhere"}, "channel"),
        ([PRICING, SIGNUP], {"props.": "a"}, "props."),
        ([PRICING, SIGNUP], {"props.plan": True}, "props.plan"),
        ([PRICING, SIGNUP], {"props.plan": {"a": 1}}, "props.plan"),
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
    right = attempts(raws, rules, timedelta(minutes=window or 1_440))
    expected = at_each(right, len(rules))
    assert visitors(answer) == expected
    medians = [step["median_seconds"] for step in answer["steps"]]
    assert medians == [median(right, step) for step in range(len(rules))]
    dropped = [step["dropped"] for step in answer["steps"]]
    assert sum(dropped) == expected[0] - expected[-1]
