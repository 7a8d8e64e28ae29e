"""PostgreSQL knows how large the tables of events are, before autovacuum looks."""

import logging
from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, connection, transaction

from analytics import events
from analytics.events import planner
from analytics.models import Event
from tests.halves import on_postgresql

pytestmark = [on_postgresql, pytest.mark.django_db(transaction=True)]
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def append(site, number):
    event = events.NewEvent(site.pk, AT.date(), AT, "event", "signup", 1)
    events.append([event._replace(visitor=visitor) for visitor in range(number)])


def believed():
    """How many events the planner expects: -1 before it looked."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reltuples FROM pg_class WHERE oid = 'analytics_event'::regclass"
        )
        return cursor.fetchone()[0]


@pytest.fixture(autouse=True)
def unknown(site):
    """As a new database is."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE analytics_event CASCADE")


def test_it_looks_each_time_the_events_have_doubled(site):
    found = []
    for _ in range(9):
        append(site, 500)
        found.append(believed())
    assert found == [-1, 1_000, 1_000, 2_000, 2_000, 2_000, 2_000, 4_000, 4_000]


def test_many_at_once_are_looked_at_after_their_commit(site):
    with transaction.atomic():
        append(site, 5_000)
        assert believed() == -1
    assert believed() == 5_000


def test_large_tables_are_left_to_autovacuum(site, monkeypatch):
    monkeypatch.setattr(planner, "_LARGE", 2_000)
    append(site, 2_000)
    append(site, 2_000)
    assert believed() == 2_000
    append(site, 4_000)
    assert believed() == 2_000


def test_a_failure_loses_nothing_and_is_logged(site, monkeypatch, caplog):
    def fail():
        raise DatabaseError("no")

    monkeypatch.setattr(planner._looks, "look", fail)
    with caplog.at_level(logging.ERROR):
        append(site, 1_000)
    assert Event.objects.count() == 1_000
    assert "Error calling" in caplog.text


def test_statements_are_planned_for_all_rows_of_a_cursor():
    with connection.cursor() as cursor:
        cursor.execute("SHOW cursor_tuple_fraction")
        assert cursor.fetchone() == ("1",)
