"""What `/readyz` looks at: each kind of trouble on a real database."""

import psycopg
import pytest
import time_machine
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils.timezone import now

from krafter import health

pytestmark = pytest.mark.django_db(transaction=True)
only_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite has neither"
)


def execute(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_nothing_is_wrong():
    assert health.problems() == {}


def test_migration_that_is_missing_is_named():
    last = MigrationRecorder.Migration.objects.filter(app="goals").latest("name")
    MigrationRecorder.Migration.objects.filter(pk=last.pk).delete()
    try:
        told = health.problems()
    finally:
        last.save(force_insert=True)
    assert told == {"migrations": [f"Not applied: goals.{last.name}"]}
    assert health.problems() == {}


def test_database_that_cannot_be_written_is_told():
    execute("ALTER TABLE analytics_ratewindow RENAME TO analytics_elsewhere")
    try:
        told = health.problems()
    finally:
        execute("ALTER TABLE analytics_elsewhere RENAME TO analytics_ratewindow")
    assert list(told) == ["database"]
    assert "analytics_ratewindow" in told["database"][0]


@only_postgresql
def test_database_that_is_read_only_is_told():
    name = connection.settings_dict["NAME"]
    execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    try:
        told = health.problems()
    finally:
        execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    assert list(told) == ["database"]
    assert "read-only transaction" in told["database"][0]


@only_postgresql
def test_lock_that_is_held_does_not_hold_up_the_answer():
    values = connection.get_connection_params()
    values.pop("pool", None)
    with psycopg.connect(**values) as other:
        other.execute("LOCK TABLE analytics_ratewindow")
        told = health.problems()
    assert told == {"database": ["canceling statement due to statement timeout"]}


@only_postgresql
@pytest.mark.parametrize("seconds", [-4_200, 3, 172_800])
def test_clock_that_differs_from_the_databases_is_told(seconds):
    with time_machine.travel(now().timestamp() + seconds):
        told = health.problems()
    [sentence] = told.pop("clock")
    assert told == {}
    off = float(sentence.removeprefix("The database's clock is ").split()[0])
    assert off == pytest.approx(-seconds, abs=1)


def test_disk_that_is_full_is_told(monkeypatch):
    # More than any disk has.
    monkeypatch.setattr(health, "MIN_FREE_BYTES", 1 << 60)
    [sentence] = health.problems()["disk"]
    assert sentence.endswith(" MB are free")
