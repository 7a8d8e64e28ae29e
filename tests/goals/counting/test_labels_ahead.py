"""Counting ahead by labels beside others who count, and after it was ended."""

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine

from analytics import events
from analytics.events import missing_labels
from analytics.models import LabelMonth
from analytics.questions.labels import Labels
from analytics.questions.periods import Days
from goals.counting import labels_ahead
from tests.factories import GoalFactory

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
DAYS = Days(date(2026, 1, 1), date(2026, 4, 30))
LABELS = Labels(country="DE", referrer="news.example")


@pytest.fixture(autouse=True)
def history(site):
    """An event on each fifth day of four months."""
    GoalFactory.create(site=site, type="event", match_value="signup")
    with time_machine.travel(NOW, tick=False):
        times = [NOW - timedelta(days=5 * number) for number in range(29)]
        made = [
            events.NewEvent(
                site_id=site.pk,
                day=at.date(),
                at=at,
                type="event",
                name="signup",
                visitor=1,
                labels=LABELS,
            )
            for at in times
        ]
        events.append(made)
        yield


def rows():
    found = LabelMonth.objects.order_by("rule", "attribution", "label", "month")
    return [
        (row.label, row.month, row.counted, bytes(row.days), bytes(row.total or b""))
        for row in found
    ]


def keep(site, progress=lambda counted: None):
    labels_ahead.keep(site, DAYS, progress)


def test_counts_that_another_process_stores_meanwhile_stay(site):
    keep(site, lambda counted: keep(site))
    found = rows()
    assert {month for _, month, *_ in found} == {
        date(2026, month, 1) for month in range(1, 5)
    }
    LabelMonth.objects.all().delete()
    keep(site)
    assert rows() == found


def test_what_was_counted_is_stored_when_the_process_ends(site, monkeypatch):
    monkeypatch.setattr(missing_labels, "_STORED_SECONDS", 0)
    counted = []

    def ends(number):
        counted.append(number)
        if len(counted) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep(site, ends)
    done: list[int] = []
    keep(site, done.append)
    assert sum(counted) + sum(done) == DAYS.length
    assert not labels_ahead.lacks(site, DAYS)
