"""What errors of the database mean, and what is answered while it takes no writes."""

import json
import logging
from typing import Any

import django.db
import psycopg
import psycopg_pool
import pytest
from django.db import connection

from analytics.access import throttling
from analytics.models import RateWindow
from goals.models import GoalMonth
from krafter import clock, faults, logs
from tests.factories import GoalFactory

UNAVAILABLE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg_pool.PoolTimeout,
    psycopg_pool.TooManyRequests,
    psycopg.errors.AdminShutdown,
    psycopg.errors.CannotConnectNow,
    psycopg.errors.DiskFull,
    psycopg.errors.TooManyConnections,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.LockNotAvailable,
)
FAULTY = (
    psycopg.errors.UniqueViolation,
    psycopg.errors.SyntaxError,
    psycopg.errors.InFailedSqlTransaction,
    psycopg.errors.UntranslatableCharacter,
)


def wrapped(error):
    """As Django raises it."""
    for kind in (
        "InternalError",
        "OperationalError",
        "InterfaceError",
        "IntegrityError",
        "ProgrammingError",
        "DataError",
    ):
        if isinstance(error, getattr(psycopg, kind)):
            raised = getattr(django.db, kind)("x")
            raised.__cause__ = error
            return raised
    raise AssertionError


@pytest.mark.parametrize("wrap", [lambda error: error, wrapped], ids=["bare", "django"])
@pytest.mark.parametrize("kind", UNAVAILABLE + FAULTY)
def test_error_of_the_database_is_told_from_one_of_a_statement(kind, wrap):
    assert faults.is_unavailable(wrap(kind("x"))) is (kind in UNAVAILABLE)


def test_other_errors_are_not_the_databases():
    assert not faults.is_unavailable(ValueError("x"))
    assert not faults.is_unavailable(OSError("x"))


@pytest.fixture
def told(caplog):
    caplog.set_level(logging.ERROR, "krafter.faults")
    return lambda: [record.getMessage() for record in caplog.records]


def test_cause_is_told_at_once_and_not_again_soon(told):
    for _ in range(1_000):
        faults.report(psycopg.OperationalError("gone\nCONTEXT: COPY line 1: a visitor"))
    assert told() == ["The database fails: gone (1 failures)"]
    faults.report(psycopg.OperationalError("starting up"))
    assert told()[1:] == ["The database fails: starting up (1000 failures)"]


def test_many_causes_are_ten_lines_a_minute(told):
    for number in range(100):
        faults.report(psycopg.OperationalError(f"cause {number}"))
    assert len(told()) == 10


def test_end_of_an_outage_counts_among_the_lines(told, caplog, monkeypatch):
    caplog.set_level(logging.WARNING, "krafter.faults")
    at = [0.0]
    for module in (faults, logs):
        monkeypatch.setattr(module, "monotonic", lambda: at[0])
    for _ in range(60):
        # It comes and goes, each time by another cause.
        faults.report(psycopg.OperationalError(f"cause {at[0]}"))
        faults.report_end()
        at[0] += 1
    assert len(told()) == 10
    assert told()[1] == "The database is available again"
    assert faults.report_end()
    assert told()[-1] == "The database is available again"


@pytest.fixture
def read_only(transactional_db):
    """Make the database take no writes, until the test is over."""

    def be_read_only(value):
        if connection.vendor != "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"PRAGMA query_only = {value}")
            return
        parameters = connection.get_connection_params()
        parameters.pop("pool", None)
        # For all connections to come.
        connection.close()
        pool: Any = connection
        pool.close_pool()
        with psycopg.connect(**{**parameters, "autocommit": True}) as own:
            own.execute("SET default_transaction_read_only = off")
            set_to = f"SET default_transaction_read_only = {value}"
            own.execute(f"ALTER DATABASE {parameters['dbname']} {set_to}")

    yield lambda: be_read_only("on")
    be_read_only("off")


@pytest.fixture
def limited(settings, monkeypatch):
    # In the middle of a minute.
    clock.follow(1_800_000_030.0)
    monkeypatch.setattr(throttling, "_in_memory", throttling._Memory())
    settings.RATE_LIMIT_API = 3
    settings.RATE_LIMIT_COLLECT = 3


def test_read_only_database_answers_questions_within_the_limit(
    read_only, limited, site, reader, told
):
    goal = GoalFactory.create(site=site)
    read_only()
    path = f"/sites/{site.site_key}/goals/{goal.id}/stats?period=30d"
    answers = [reader("GET", path) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [a.headers["x-ratelimit-remaining"] for a in answers] == ["2", "1", "0", "0"]
    assert not RateWindow.objects.exists()
    assert not GoalMonth.objects.exists()
    # The first write that was left out, whichever it was.
    assert len(told()) == 1


def test_read_only_database_stores_nothing_and_says_so(
    read_only, limited, site, writer, track
):
    event = {"type": "event", "name": "a", "visitor_id": "v"}
    read_only()
    answers = [
        track({"type": "pageview", "url": "https://example.com/"}),
        writer(
            "POST",
            f"/sites/{site.site_key}/goals",
            {"name": "a", "type": "event", "match_type": "exact", "match_value": "b"},
        ),
        writer("POST", f"/sites/{site.site_key}/events", event),
    ]
    assert [answer.status_code for answer in answers] == [503] * 3
    assert [answer.headers["Retry-After"] for answer in answers] == ["1"] * 3
    assert all("error" in json.loads(answer.content) for answer in answers)


def test_admin_says_503_of_a_read_only_database(read_only, client, admin_user, caplog):
    client.raise_request_exception = False
    read_only()
    answer = client.post(
        "/admin/login/",
        {"username": "admin", "password": "password", "next": "/admin/"},
    )
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert [record.name for record in caplog.records] == ["krafter.faults"]
