"""What may not be kept goes, without visitors and without cron."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.utils import OperationalError

from analytics import housekeeping
from analytics.models import SiteSalt
from benchmarks.servers import ROOT


class Enough(BaseException):
    """Ends the endless."""


@pytest.fixture
def closed(monkeypatch):
    """How often the connection was; the test's own transaction lives on it."""
    times: list[int] = []
    monkeypatch.setattr(connection, "close", lambda: times.append(1))
    return times


@pytest.fixture
def rounds(monkeypatch, closed):
    """Let it go round so many times; the pauses that it makes."""

    def go(times):
        pauses = []

        def pause(seconds):
            pauses.append(seconds)
            if len(pauses) == times:
                raise Enough

        monkeypatch.setattr("analytics.housekeeping.sleep", pause)
        with pytest.raises(Enough):
            housekeeping._keep_tidy()
        return pauses

    return go


def test_it_is_done_at_once_and_every_ten_minutes(rounds, closed, monkeypatch):
    done = []
    monkeypatch.setattr(housekeeping, "tidy", lambda: done.append(1))
    assert rounds(3) == [600] * 3
    assert (len(done), len(closed)) == (3, 3)


def test_a_failure_is_logged_and_tried_again(rounds, closed, monkeypatch, caplog):
    monkeypatch.setattr(housekeeping, "tidy", lambda: 1 / 0)
    rounds(2)
    assert caplog.text.count("ZeroDivisionError: ") == 2
    assert len(closed) == 2


def test_database_that_is_away_is_one_line(rounds, closed, monkeypatch, caplog):
    def away():
        raise OperationalError("gone")

    monkeypatch.setattr(housekeeping, "tidy", away)
    monkeypatch.setattr(housekeeping, "tasks", ())
    rounds(3)
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["The database fails: gone (1 failures)"]


def test_salts_are_destroyed_when_their_time_is_over(db, rounds):
    now = datetime.now(UTC)
    common = {"day": now.date(), "value": b"s" * 16, "ipv6_prefix": 64}
    for number, minutes in enumerate((-1, 1)):
        ends_at = now + timedelta(minutes=minutes)
        SiteSalt.objects.create(site_id=number, ends_at=ends_at, **common)
    rounds(1)
    [kept] = SiteSalt.objects.all()
    assert kept.ends_at == now + timedelta(minutes=1)


WORKER = """
import asyncio
import time
from datetime import UTC, datetime, timedelta
import django
django.setup()
from django.core.management import call_command
from analytics.models import SiteSalt
call_command("migrate", verbosity=0)
made = datetime.now(UTC) - timedelta(days=3)
SiteSalt.objects.create(
    site_id=1, day=made, value=b"salt", ipv6_prefix=64, ends_at=made
)
from krafter.asgi import application
async def receive():
    return {"type": "lifespan.startup"}
async def send(message):
    raise EOFError
try:
    asyncio.run(application({"type": "lifespan"}, receive, send))
except EOFError:
    pass
for _ in range(100):
    if not SiteSalt.objects.exists():
        raise SystemExit(0)
    time.sleep(0.1)
raise SystemExit("still there")
"""


def test_a_worker_does_it_without_a_request(tmp_path):
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{tmp_path}/a.sqlite3",
        "DATA_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "krafter.settings",
    }
    subprocess.run(
        [sys.executable, "-c", WORKER], cwd=ROOT, env=environment, check=True
    )
