"""What may not be kept goes, without visitors and without cron."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from analytics import housekeeping
from analytics.models import Salt
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


def test_it_is_done_at_once_and_every_hour(rounds, closed, monkeypatch):
    done = []
    monkeypatch.setattr(housekeeping, "tidy", lambda: done.append(1))
    assert rounds(3) == [3_600] * 3
    assert (len(done), len(closed)) == (3, 3)


def test_a_failure_is_logged_and_tried_again(rounds, closed, monkeypatch, caplog):
    monkeypatch.setattr(housekeeping, "tidy", lambda: 1 / 0)
    rounds(2)
    assert caplog.text.count("ZeroDivisionError: ") == 2
    assert len(closed) == 2


def test_salts_are_destroyed_48_hours_after_they_were_made_at_the_latest(db, rounds):
    now = datetime.now(UTC)
    for hours in (46, 47):
        made = now - timedelta(hours=hours)
        Salt.objects.create(
            timezone=str(hours), day=made.date(), value=b"s" * 16, created_at=made
        )
    rounds(1)
    # One more round comes before the other is 48 hours old.
    [kept] = Salt.objects.all()
    assert kept.created_at == now - timedelta(hours=46)


WORKER = """
import asyncio
import time
from datetime import UTC, datetime, timedelta
import django
django.setup()
from django.core.management import call_command
from analytics.models import Salt
call_command("migrate", verbosity=0)
made = datetime.now(UTC) - timedelta(days=3)
Salt.objects.create(timezone="UTC", day=made, value=b"salt", created_at=made)
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
    if not Salt.objects.exists():
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
