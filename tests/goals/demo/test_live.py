"""Visits of the demo that come while the service runs."""

from datetime import UTC, datetime, timedelta

import pytest

from analytics.models import Event
from goals.demo import live

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def moments(site):
    return list(
        Event.objects.filter(site=site).order_by("at").values_list("at", flat=True)
    )


def test_half_hour_before_now_has_visits_and_a_conversion(site):
    live.add(site, NOON)
    seen = moments(site)
    assert len(seen) >= 10
    assert NOON - live.LONGEST - 3 * MINUTE <= seen[0] <= seen[-1] <= NOON
    converting = {"purchase", "/newsletter/confirmed", "contact_form_sent"}
    assert Event.objects.filter(site=site, name__name__in=converting).exists()


def test_every_quarter_of_an_hour_of_a_day_has_a_conversion(site):
    midnight = NOON.replace(hour=0)
    for half_hours in range(1, 48):
        live.add(site, midnight + half_hours * live.LONGEST)
    converting = {"purchase", "/newsletter/confirmed", "contact_form_sent"}
    found = Event.objects.filter(site=site, name__name__in=converting)
    quarters = {
        (at - midnight) // (15 * MINUTE) for at in found.values_list("at", flat=True)
    }
    assert len(quarters) >= 85


def test_adding_again_adds_what_has_happened_since(site):
    live.add(site, NOON)
    before = moments(site)
    assert live.add(site, NOON) == 0
    added = live.add(site, NOON + 10 * MINUTE)
    after = moments(site)
    assert added == len(after) - len(before) > 0
    assert all(at > NOON for at in after[len(before) :])


def test_visits_keep_to_the_day(site):
    live.add(site, NOON.replace(hour=0, minute=5))
    assert {event.day.day for event in Event.objects.filter(site=site)} <= {10}


@pytest.mark.django_db(transaction=True)
def test_thread_goes_on_after_a_failure(site, monkeypatch, caplog):
    """Three rounds: the first fails, the third ends the thread."""
    rounds = []

    def add(asked, now):
        rounds.append(asked)
        if len(rounds) == 1:
            raise RuntimeError("away")
        return 0

    class Ended(BaseException):
        pass

    def sleep(seconds):
        if len(rounds) == 3:
            raise Ended

    monkeypatch.setattr(live, "add", add)
    monkeypatch.setattr(live, "sleep", sleep)
    with pytest.raises(Ended):
        live._go_on()
    assert rounds == [site, site, site]
    assert "it goes on later" in caplog.text


def test_deleted_demo_gets_no_visits(site, monkeypatch):
    class Ended(BaseException):
        pass

    def sleep(seconds):
        raise Ended

    site.deleted_at = NOON
    site.save()
    monkeypatch.setattr(live, "sleep", sleep)
    monkeypatch.setattr("goals.demo.live.connection.close", lambda: None)
    with pytest.raises(Ended):
        live._go_on()
    assert moments(site) == []
