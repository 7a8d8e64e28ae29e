"""One clock decides, whatever that of a machine says."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from analytics.access import throttling
from analytics.events import closed_days
from analytics.ingest import salts, visitors
from analytics.models import LateDay, RateWindow, SiteSalt
from analytics.questions.periods import Days
from krafter import clock
from tests.factories import store

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def pass_by(monkeypatch):
    """Let seconds pass by on the monotonic clock."""
    passed = [1_000.0]
    monkeypatch.setattr("krafter.clock.time.monotonic", lambda: passed[0])

    def pass_by(seconds):
        passed[0] += seconds

    return pass_by


def test_clock_is_carried_on_between_readings(pass_by):
    clock.follow(NOON.timestamp())
    pass_by(30)
    assert clock.now() == NOON + timedelta(seconds=30)


def test_clock_of_the_machine_does_not_matter(pass_by):
    clock.follow(NOON.timestamp())
    with time_machine.travel(NOON - timedelta(days=3), tick=False):
        assert clock.now() == NOON


def test_glitch_changes_nothing_but_the_trust(pass_by):
    clock.follow(NOON.timestamp())
    for _ in range(10):
        pass_by(1)
        assert clock.follow((NOON - timedelta(days=3)).timestamp())
    pass_by(1)
    clock.follow(NOON.timestamp() + 11)
    assert clock.now() == NOON + timedelta(seconds=11)
    assert not clock.is_steady()
    pass_by(61)
    assert clock.is_steady()


def test_new_time_is_followed_once_it_lasts(pass_by):
    clock.follow(NOON.timestamp())
    later = NOON + timedelta(hours=1)
    for second in range(62):
        clock.follow(later.timestamp() + second)
        pass_by(1)
    assert clock.now() == later + timedelta(seconds=62)


def test_no_day_is_kept_while_clocks_disagree(pass_by):
    clock.follow(NOON.timestamp())
    days = Days((NOON - timedelta(days=9)).date(), NOON.date())
    closed = closed_days.parted(days).closed
    clock.follow((NOON + timedelta(days=2)).timestamp())
    doubted = closed_days.parted(days)
    assert closed is not None
    assert doubted.closed is not None
    assert doubted.closed.last == closed.last - timedelta(days=7)


@pytest.mark.django_db
def test_machine_that_is_late_notes_days_that_are_over(site):
    clock.follow(NOON.timestamp())
    # For this machine the day of the event has not ended yet.
    with time_machine.travel(NOON - timedelta(days=3)):
        store(site, "event", "a", at=NOON - timedelta(days=3))
    day = (NOON - timedelta(days=3)).date()
    assert LateDay.objects.get(site_id=site.pk).day == day


@pytest.mark.django_db
def test_salts_outlive_a_glitch(site, pass_by):
    clock.follow(NOON.timestamp())
    visitors.visitor(site, NOON.date(), address="192.0.2.1", user_agent="x")
    assert SiteSalt.objects.count() == 1
    clock.follow((NOON + timedelta(days=2)).timestamp())
    with time_machine.travel(NOON + timedelta(days=2)):
        assert salts.destroy() == 0
    assert SiteSalt.objects.count() == 1


@pytest.mark.django_db
def test_window_of_a_wrong_clock_is_ignored():
    minute = throttling.current_minute()
    RateWindow.objects.create(caller="a", minute=minute + 2_880, used=50)
    RateWindow.objects.create(caller="b", minute=minute + 1, used=50)
    assert throttling.spend("a", minute) == 1
    assert throttling.spend("a", minute) == 2
    # The next minute's: another process is a little ahead.
    assert throttling.spend("b", minute) == 51
