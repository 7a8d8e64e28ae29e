"""The connections that the pool hands out."""

import os

import pytest
from django.db import connection
from psycopg_pool import ConnectionPool

from krafter.postgresql import Connection
from tests.halves import on_postgresql

pytestmark = on_postgresql


@pytest.fixture
def pool():
    with ConnectionPool(
        os.environ["DATABASE_URL"],
        connection_class=Connection,
        kwargs={"autocommit": True},
        check=ConnectionPool.check_connection,
        min_size=1,
        max_size=1,
        open=True,
    ) as pool:
        yield pool


@pytest.fixture
def other():
    with Connection.connect(os.environ["DATABASE_URL"], autocommit=True) as other:
        yield other


def test_idle_connection_is_checked_without_a_round_trip(pool, other):
    with pool.connection() as handed_out:
        handed_out.execute("SELECT 1")
    with pool.connection() as handed_out:
        last = other.execute(
            "SELECT query FROM pg_stat_activity WHERE pid = %s",
            [handed_out.info.backend_pid],
        ).fetchone()
    assert last == ("SELECT 1",)


def test_connection_that_the_server_ended_is_replaced(pool, other):
    with pool.connection() as handed_out:
        pid = handed_out.info.backend_pid
    other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    with pool.connection() as replaced:
        assert replaced.info.backend_pid != pid
        assert replaced.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.django_db
def test_django_uses_these_connections():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert isinstance(connection.connection, Connection)
