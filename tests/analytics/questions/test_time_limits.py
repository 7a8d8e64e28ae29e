"""How long a question may take, on both databases; and what is said then."""

import re

import pytest
from django.db import OperationalError, connection

from analytics.questions import time_limits
from analytics.questions.time_limits import in_time
from krafter.errors import Unavailable
from tests.factories import GoalFactory, store

# A minute on PostgreSQL, and as long as SQLite takes to count that far.
SLOW = {
    "postgresql": "SELECT pg_sleep(60)",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
    " WHERE i < 1000000000) SELECT COUNT(*) FROM n",
}

# A statement that was ended would spoil the transaction of the test.
pytestmark = pytest.mark.django_db(transaction=True)


def be_slow():
    with connection.cursor() as cursor:
        cursor.execute(SLOW[connection.vendor])


def be_quick():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone()


def test_statement_is_ended_by_its_limit():
    with pytest.raises(Unavailable, match="Too long"), in_time(0.1, "Too long"):
        be_slow()


def test_quick_statement_is_not_ended():
    with in_time(5, "Too long"):
        assert be_quick() == (1,)


def test_limit_is_gone_afterwards():
    with pytest.raises(Unavailable), in_time(0.1, "Too long"):
        be_slow()
    assert be_quick() == (1,)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("0",)


def test_outer_limit_holds_after_an_inner_one():
    def be_slow_twice():
        with pytest.raises(Unavailable, match="inner"), in_time(0.1, "inner"):
            be_slow()
        be_slow()

    with pytest.raises(Unavailable, match="outer"), in_time(0.3, "outer"):
        be_slow_twice()


def test_other_errors_pass():
    with (
        pytest.raises(OperationalError, match="mine"),
        in_time(5, "Too long"),
    ):
        raise OperationalError("mine")


@pytest.fixture
def slowly():
    """Events are slow to read meanwhile."""

    def execute_slowly(execute, sql, params, *rest):
        reads = re.search(r'"analytics_event"|analytics_event AS (event|made)', sql)
        if reads and sql.lstrip().startswith(("SELECT", "WITH")):
            sql, params = SLOW[connection.vendor], ()
        return execute(sql, params, *rest)

    return lambda: connection.execute_wrapper(execute_slowly)


RULE = {"type": "event", "match_type": "exact", "match_value": "signup"}
QUESTIONS = [
    ("GET", "/goals/{goal}/stats?country=DE", None),
    ("GET", "/goals/{goal}/timeseries?interval=hour&period=7d", None),
    ("GET", "/goals/{goal}/breakdown?dimension=country", None),
    ("GET", "/goals/{goal}/rate?country=DE", None),
    ("GET", "/goals/stats?country=DE", None),
    ("POST", "/goals/preview", RULE),
    ("POST", "/funnels/query", {"steps": [RULE, RULE]}),
    ("GET", "/stats?country=DE", None),
    ("GET", "/stats?period=7d", None),
]


@pytest.mark.parametrize(("method", "path", "body"), QUESTIONS)
def test_question_that_takes_too_long_is_answered_503(
    owner, site, monkeypatch, slowly, method, path, body
):
    monkeypatch.setattr(time_limits, "QUESTION_SECONDS", 0.1)
    monkeypatch.setattr("analytics.events.closed_days.BUDGET_SECONDS", 0.1)
    goal = GoalFactory.create(site=site, currency="USD")
    store(site, "event", "signup")
    path = f"/sites/{site.site_key}{path.format(goal=goal.pk)}"
    sent = b"" if body is None else body
    assert owner(method, path, sent).status_code == 200
    # Of what came before, something may be remembered.
    store(site, "event", "signup", visitor=2)
    with slowly():
        response = owner(method, path, sent)
    assert response.status_code == 503
    assert response.json() == {
        "error": "The query took too long; choose a shorter period"
    }
    assert response.headers["Retry-After"] == "1"
    assert owner(method, path, sent).status_code == 200
