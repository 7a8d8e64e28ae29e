"""manage.py size, and the same numbers for a monitor."""

import io
from datetime import date, timedelta

import pytest
from django.core.management import call_command
from django.db import connection

from analytics.events import sizes
from analytics.lifecycle import size
from analytics.models import Event, EventName, Site
from krafter import clock, metrics
from tests.factories import SiteFactory, store


@pytest.fixture
def two_sites(site):
    """Three days ago: 30 events here, 10 there."""
    other = SiteFactory.create(domain="other.example")
    at = clock.now() - timedelta(days=3)
    for number in range(30):
        store(site, "pageview", f"/{number % 3}", at=at, visitor=number)
    for _ in range(10):
        store(other, "pageview", "/", at=at)
    return site, other


def run(**options):
    out = io.StringIO()
    call_command("size", stdout=out, **options)
    return out.getvalue()


def test_sites_are_listed_the_largest_first(two_sites):
    site, other = two_sites
    lines = run(free=1).splitlines()
    assert lines[1].startswith(f"{site.site_key}  {site.domain}")
    assert lines[1].split()[2] == "30"
    assert lines[2].startswith(f"{other.site_key}  {other.domain}")
    assert lines[2].split()[2] == "10"
    assert "Free: 1.0 GB." in lines


def test_bytes_are_shared_out_by_rows(two_sites):
    site, other = (
        next(each for each in size.site_sizes(Site.objects.all()) if each.site == one)
        for one in two_sites
    )
    assert site.events > 0
    assert site.indexes > 0
    assert site.events == pytest.approx(3 * other.events, abs=3)
    assert site.names > 0
    assert site.rate == pytest.approx(30 / 7)
    per_event = (site.total - site.kept) / 30
    assert site.growth == pytest.approx(per_event * 30 / 7)


def test_many_events_are_estimated_and_said_to_be(site, monkeypatch):
    monkeypatch.setattr(sizes, "COUNTED", 50)
    monkeypatch.setattr(sizes, "_SAMPLED_DAYS", 10)
    for back in range(100):
        store(site, "event", "a", at=clock.now() - timedelta(days=back))
    assert sizes.number(Event, site.pk) == (100, False)
    assert "~100" in run()
    # Names are few, and always counted.
    assert sizes.number(EventName, site.pk) == (1, True)


def test_every_day_is_counted_of_a_short_time(site, monkeypatch):
    monkeypatch.setattr(sizes, "COUNTED", 5)
    for back in (0, 0, 0, 0, 1, 4, 4, 4):
        store(site, "event", "a", at=clock.now() - timedelta(days=back))
    assert sizes.number(Event, site.pk) == (8, True)


def test_the_day_on_which_the_disk_is_full():
    today = date(2026, 3, 1)
    assert size.Disk(10, 100, 10.0).full_on(today) == date(2026, 3, 11)
    assert size.Disk(10, 100, 0.0).full_on(today) is None
    assert size.Disk(10, None, 5.0).full_on(today) is None
    assert size.Disk(10, 10**15, 0.001).full_on(today) is None


def test_a_setting_says_what_the_database_may_take(db, settings):
    settings.DATABASE_GIGABYTES = 2
    now = size.disk(0.0)
    assert now.database > 0
    assert now.free == 2 * 10**9 - now.database
    settings.DATABASE_GIGABYTES = 0
    if connection.vendor == "postgresql":
        assert size.disk(0.0).free is None
        assert "--free" in run()


def test_an_empty_service_has_a_size(db):
    assert "not in sight" in run(free=1)


def test_the_monitor_is_told(two_sites, settings):
    settings.DATABASE_GIGABYTES = 100
    size.tell()
    text = metrics.text().decode()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    assert float(values["krafter_events_stored"]) == 40
    assert float(values["krafter_database_bytes"]) > 0
    assert float(values["krafter_database_growth_bytes"]) > 0
    free = float(values["krafter_database_free_bytes"])
    growth = float(values["krafter_database_growth_bytes"])
    assert float(values["krafter_database_full_days"]) == pytest.approx(free / growth)


def test_a_monitor_is_told_when_it_is_not_known(db, settings, monkeypatch):
    monkeypatch.setattr(size, "disk", lambda growth: size.Disk(5, None, growth))
    size.tell()
    text = metrics.text().decode()
    assert "krafter_database_free_bytes -1.0" in text
    assert "krafter_database_full_days +Inf" in text
