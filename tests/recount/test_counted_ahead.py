"""What is counted ahead by all labels, in one pass: the same as a slow recount."""

from datetime import UTC, datetime, time

import time_machine
from hypothesis import strategies as st

from analytics.models import LabelMonth
from analytics.questions import filters
from analytics.questions.labels import ATTRIBUTIONS
from analytics.questions.periods import Days
from goals.counting import labels_ahead
from goals.counting.verified import verified_labels
from tests.recount.counting import Compared
from tests.recount.examples import in_each_world, rolled_back, site_with_goals
from tests.recount.goals import DAY, LABELS
from tests.recount.histories import STARTS, histories, keep
from tests.recount.questions import Asked
from tests.recount.test_sources import check_rates

# A joint label, asked once before: it is counted ahead with the others.
JOINT = "country,os"


@in_each_world(examples=4, parts=2)
def test_labels_counted_ahead_are_of_a_recount(
    ask, kinds, rules, data, record_property
):
    with rolled_back():
        record_property("figures", check_counted(ask, data.draw, kinds, rules))


def check_counted(ask, draw, kinds, rules):
    compared = Compared()
    start = draw(st.sampled_from(STARTS))
    site, goals = site_with_goals(draw, rules, ("EUR", None))
    now = datetime.combine(start + 10 * DAY, time(12), UTC)
    days = Days(start - DAY, start + 5 * DAY)
    with time_machine.travel(now, tick=False):
        history = []
        for _ in range(2):
            # The second time, some of the days that are kept change.
            more = draw(histories(kinds, start, site.timezone, now - 5 * DAY))
            keep(site, more)
            history += more
            asked = Asked(ask, site, *days, "&country=DE", "")
            asked.data(f"/goals/{goals[0].pk}/breakdown", "&dimension=os")
            labels_ahead.keep(site, days, lambda counted: None)
        assert not labels_ahead.lacks(site, days)
        check_rows(site, {goal.rule for goal in goals}, bool(history))
        for attribution in ATTRIBUTIONS:
            asked = Asked(ask, site, *days, "", attribution)
            label = draw(st.sampled_from(LABELS))
            for goal in goals:
                check_rates(asked, history, goal, label, compared)
    return compared.figures


def check_rows(site, rules, has_events):
    """Each row is the same as counted by itself."""
    rows = LabelMonth.objects.filter(site=site)
    whole = {*filters.LABELS, JOINT} if has_events else set()
    assert set(rows.values_list("label", flat=True)) == whole
    for month in set(rows.values_list("month", flat=True)):
        for verified in verified_labels(site, rules, month):
            assert verified.differing == []
