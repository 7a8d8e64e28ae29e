"""Every number of a funnel equals a slow recount of all ways through the events."""

from datetime import UTC, datetime, time, timedelta
from urllib.parse import parse_qsl

import pytest
import time_machine
from hypothesis import strategies as st

from analytics.models import ApiToken
from goals.models import Goal
from goals.reports import funnels
from tests.factories import GoalFactory, SiteFactory
from tests.recount.drafts_and_funnels import attempts, funnel
from tests.recount.examples import in_each_world, rolled_back
from tests.recount.goals import DAY, DIMENSIONS, happened
from tests.recount.histories import ATTRIBUTIONS, STARTS, ZONES, histories, keep
from tests.recount.questions import FILTERS, Asked, as_json, rule_of
from tests.recount.sources import SITE, attributed


@in_each_world(examples=12)
def test_numbers_of_funnels_are_those_of_a_recount(ask, kinds, rules, data):
    with rolled_back():
        check_history(ask, data.draw, kinds, rules)


def check_history(ask, draw, kinds, rules):
    start = draw(st.sampled_from(STARTS))
    team = ApiToken.objects.get().team
    site = SiteFactory.create(team=team, timezone=draw(st.sampled_from(ZONES)), **SITE)
    goal = GoalFactory.create(site=site, **draw(st.sampled_from(rules)))
    now = datetime.combine(start + DAY, time(18, 17), UTC)
    history = []
    for _ in range(2):
        # Late events come the second time.
        now += draw(st.sampled_from([0, 1, 2])) * DAY
        with time_machine.travel(now, tick=False):
            more = draw(histories(kinds, start, site.timezone, now))
            keep(site, more)
            history += more
            first = start + draw(st.integers(0, 2)) * DAY
            last = first + draw(st.integers(1, 3)) * DAY
            for _ in range(10):
                labels = draw(st.sampled_from(["", *FILTERS])), draw(ATTRIBUTIONS)
                asked = Asked(ask, site, first, last, *labels)
                check_funnel(draw, asked, history, goal, rules)


def check_funnel(draw, asked, history, goal, rules):
    """Of rules and a goal; the same one may be several steps."""
    choices = [*(Goal(**rule) for rule in rules), goal]
    steps = draw(st.lists(st.sampled_from(choices), min_size=2, max_size=3))
    ids = [f"{goal.pk}" if step is goal else None for step in steps]
    minutes = draw(st.sampled_from([None, 5, 30, 30]))
    dimension = draw(st.sampled_from([None, *DIMENSIONS]))
    window = timedelta.max if minutes is None else timedelta(minutes=minutes)
    question = {
        "steps": [
            {"goal": id} if id else rule_of(step)
            for id, step in zip(ids, steps, strict=True)
        ],
        "window_minutes": minutes,
        **dict(parse_qsl(asked.filters)),
    }
    if dimension:
        question["dimension"] = dimension
    if asked.attribution:
        question["attribution"] = asked.attribution
    history = attributed(history, asked.attribution)
    ways = attempts(happened(history, asked.first, asked.last), steps, window)
    own = [way for way in ways if FILTERS[asked.filters](way[0])]
    most = draw(st.sampled_from([100, 2]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(funnels, "MOST_VALUES", most)
        answer = asked.post("/funnels/query", question)
    for row in answer.get("breakdown", ()):
        row["value"] = as_json(row["value"])
    expected = funnel(own, len(steps), dimension, most)
    for row, id, step in zip(expected["steps"], ids, steps, strict=True):
        row |= {"goal": id, **rule_of(step)}
    assert answer == {
        "period": asked.period,
        "attribution": asked.attribution or "last",
        "window_minutes": minutes,
        **expected,
    }
    check_sums(answer)


def check_sums(answer):
    """What is shown and what is not adds up to the steps."""
    if "breakdown" in answer:
        parts = [*answer["breakdown"], *([answer["other"]] if answer["other"] else [])]
        sums = [
            sum(column) for column in zip(*(p["visitors"] for p in parts), strict=True)
        ]
        whole = [step["visitors"] for step in answer["steps"]]
        assert sums == whole or (not parts and not any(whole))
