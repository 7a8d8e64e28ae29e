"""Time zones: one list on every machine."""

import importlib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, reset_tzpath

import pytest
from django.apps import apps

from analytics import time_zones
from tests.factories import SiteFactory

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def test_every_zone_has_data_where_the_machine_has_none():
    try:
        reset_tzpath(to=[])
        for name in time_zones.names():
            zone = ZoneInfo.no_cache(name)
            assert NOON.astimezone(zone).utcoffset() is not None
    finally:
        reset_tzpath()


def test_list_does_not_depend_on_the_machine(tmp_path):
    before = time_zones.names()
    (tmp_path / "Mars").mkdir()
    (tmp_path / "Mars" / "Base").write_bytes(b"TZif")
    time_zones.names.cache_clear()
    try:
        reset_tzpath(to=[str(tmp_path)])
        assert time_zones.names() == before
    finally:
        reset_tzpath()


@pytest.mark.parametrize("name", ["Europe/Berlin", "UTC", "Asia/Kathmandu", "GB"])
def test_places_are_in_the_list(name):
    assert time_zones.zone(name) == ZoneInfo(name)


@pytest.mark.parametrize(
    "name",
    ["localtime", "Factory", "posixrules", "right/UTC", "posix/UTC", "", "tzdata.zi"],
)
def test_what_is_no_zone_is_refused(name):
    with pytest.raises(ValueError, match="there is no time zone"):
        time_zones.zone(name)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("before", "after"),
    [("localtime", "UTC"), ("Factory", "UTC"), ("Asia/Tokyo", "Asia/Tokyo")],
)
def test_migration_replaces_what_was_accepted(before, after):
    site = SiteFactory.create(timezone=before)
    migration = importlib.import_module("analytics.migrations.0011_time_zones")
    migration.replace(apps, None)
    site.refresh_from_db()
    assert site.timezone == after
