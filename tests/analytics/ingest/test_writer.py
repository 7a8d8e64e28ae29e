"""What shares a commit with what: sites, limits and failures kept apart."""

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from ipaddress import ip_network

import psycopg
import pytest
from django.db import close_old_connections, connection, transaction
from django.db.utils import OperationalError

from analytics import events
from analytics.events import writing
from analytics.ingest import collect, country, intake, user_agents, writer
from analytics.ingest.group_commit import Busy
from analytics.ingest.pipeline import Dropped
from analytics.models import Event, RateWindow
from krafter import faults, request_ids
from tests.conftest import BROWSER
from tests.factories import SiteFactory
from tests.halves import on_postgresql

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def write(works):
    """Without waiting: each is stored, as no lock is held."""
    stored = writer._store(works, wait_seconds=None)
    assert all(isinstance(one, writer.Stored) for one in stored)
    return [one for one in stored if isinstance(one, writer.Stored)]


def event(site, **values):
    fields = {"type": "event", "name": "signup", "visitor": 1, **values}
    return events.NewEvent(site.pk, NOW.date(), NOW, **fields)


@pytest.fixture
def commits(transactional_db, monkeypatch):
    # Its threads have connections of their own, to be given back.
    monkeypatch.setattr(writer, "close_old_connections", close_old_connections)
    # As the service does before it begins: the first event would wait for them.
    country.table()
    user_agents.parse("")
    writer.commits.start()
    writer.commits.submit(writer.Work())
    yield writer.commits
    writer.commits.stop()


@pytest.fixture
def hold(transactional_db):
    """Hold a site's lock for some seconds from another connection."""
    threads = []

    def hold(site, seconds):
        held = threading.Event()

        def run():
            try:
                with transaction.atomic():
                    writing.lock_sites([site.pk])
                    held.set()
                    time.sleep(seconds)
            finally:
                connection.close()

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        assert held.wait(10)

    yield hold
    for thread in threads:
        thread.join()


@on_postgresql
def test_held_lock_delays_no_other_site(commits, hold):
    busy, other = SiteFactory.create(), SiteFactory.create()
    commits.submit(writer.Work((event(other),)))
    hold(busy, 1.5)
    with ThreadPoolExecutor(4) as pool:
        begun = time.monotonic()
        waiting = [
            pool.submit(commits.submit, writer.Work((event(busy),))) for _ in range(3)
        ]
        slowest = 0.0
        for _ in range(20):
            at = time.monotonic()
            commits.submit(writer.Work((event(other),)))
            slowest = max(slowest, time.monotonic() - at)
        assert time.monotonic() - begun < 1.5
        # The goal is 0.1 s; other tests run beside this one.
        assert slowest < 0.3
        for future in waiting:
            assert future.result().are_new == (True,)
    assert Event.objects.filter(site_id=busy.pk).count() == 3


@on_postgresql
def test_lock_that_is_held_for_long_is_busy(commits, hold, monkeypatch):
    monkeypatch.setattr(commits, "_max_wait", 0.5)
    site = SiteFactory.create()
    hold(site, 3)
    with pytest.raises(Busy):
        commits.submit(writer.Work((event(site),)))
    assert not Event.objects.exists()


@on_postgresql
def test_two_busy_sites_do_not_wait_for_each_other(commits, hold):
    long, short = SiteFactory.create(), SiteFactory.create()
    hold(long, 1.5)
    hold(short, 0.3)
    with ThreadPoolExecutor(2) as pool:
        begun = time.monotonic()
        first = pool.submit(commits.submit, writer.Work((event(long),)))
        commits.submit(writer.Work((event(short),)))
        assert time.monotonic() - begun < 1.2
        assert not first.done()
        first.result()


@on_postgresql
def test_error_of_a_site_concerns_its_own_items_alone(commits, monkeypatch):
    good, bad = SiteFactory.create(), SiteFactory.create()
    append = events.append

    def failing(batch, **options):
        if any(new.site_id == bad.pk for new in batch):
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = 10")
                cursor.execute("SELECT pg_sleep(1)")
        return append(batch, **options)

    monkeypatch.setattr(events, "append", failing)
    with ThreadPoolExecutor(8) as pool:
        futures = {
            number: pool.submit(
                commits.submit, writer.Work((event(bad if number % 2 else good),))
            )
            for number in range(8)
        }
    for number, future in futures.items():
        if number % 2:
            assert isinstance(future.exception(), OperationalError)
        else:
            assert future.result().are_new == (True,)
    assert Event.objects.count() == 4


# The log


@pytest.fixture
def told(caplog):
    """Lines of the log, each with the id of its request."""
    caplog.handler.addFilter(request_ids.RequestIdFilter())
    return lambda: [(r.request_id, r.getMessage()) for r in caplog.records]


def away(*args, **options):
    raise OperationalError("disk full")


def test_line_of_a_failed_commit_names_the_request(commits, told, monkeypatch):
    site = SiteFactory.create()
    monkeypatch.setattr(events, "append", away)
    sent = {"site": site.site_key, "type": "event", "name": "signup"}
    environ = {"REQUEST_METHOD": "POST", "HTTP_USER_AGENT": BROWSER}
    with request_ids.named("of-the-tracker"):
        coroutine = collect.answer(environ, json.dumps(sent).encode())
        assert asyncio.run(coroutine).status == 503
    line = "The database fails: disk full (1 failures)"
    assert told() == [("of-the-tracker", line)]


def test_line_of_a_servers_failed_event_names_the_request(
    commits, told, monkeypatch, transactional_db, client_with
):
    site = SiteFactory.create()
    call = client_with(site.team, "analytics:write")
    monkeypatch.setattr(events, "append", away)
    answer = call(
        "POST",
        f"/sites/{site.site_key}/events",
        {"type": "event", "name": "signup", "visitor_id": "v"},
        headers={"X-Request-ID": "of-a-server"},
    )
    assert answer.status_code == 503
    assert {request_id for request_id, _ in told()} == {"of-a-server"}


def test_line_about_a_sent_address_names_the_request(
    commits, told, monkeypatch, settings
):
    settings.TRUSTED_PROXIES = [ip_network("127.0.0.77")]
    settings.RATE_LIMIT_COLLECT = 5
    environ = {
        "REQUEST_METHOD": "POST",
        "HTTP_USER_AGENT": BROWSER,
        "REMOTE_ADDR": "127.0.0.77",
        "HTTP_X_FORWARDED_FOR": "_hidden",
    }
    body = b'{"site": "x", "type": "pageview", "url": "/"}'
    with request_ids.named("behind-a-proxy"):
        assert asyncio.run(collect.answer(environ, body)).status == 202
    [(request_id, line)] = told()
    assert request_id == "behind-a-proxy"
    assert line.startswith("The proxy 127.0.0.77 names a client")


def test_request_that_cannot_be_read_fails_alone(commits, told, monkeypatch):
    site = SiteFactory.create()
    take = intake.take

    def failing(body, environ, **more):
        if b"bad" in body:
            raise ZeroDivisionError
        return take(body, environ, **more)

    async def send():
        bodies = [
            {"site": site.site_key, "type": "event", "name": name}
            for name in ("good", "bad", "better")
        ]
        sent = [collect.answer(environ, json.dumps(b).encode()) for b in bodies]
        return [answer.status for answer in await asyncio.gather(*sent)]

    monkeypatch.setattr(intake, "take", failing)
    environ = {"REQUEST_METHOD": "POST", "HTTP_USER_AGENT": BROWSER}
    assert asyncio.run(send()) == [202, 500, 202]
    assert [line for _, line in told()] == ["An event could not be stored"]
    assert Event.objects.count() == 2


# Limits


@pytest.mark.django_db
def test_callers_of_a_batch_are_counted_by_one_statement(
    settings, django_assert_max_num_queries
):
    settings.RATE_LIMIT_COLLECT = 2
    drop = Dropped(0, NOW.date(), "unknown_site")
    works = [writer.Work((drop,), f"ip:{number % 40}", 7) for number in range(100)]
    # A savepoint and its release, the limits of statements, the limits of
    # callers, the drops.
    with django_assert_max_num_queries(5):
        stored = write(works)
    assert [s.used for s in stored] == [1 + number // 40 for number in range(100)]
    assert RateWindow.objects.count() == 40


@pytest.mark.django_db
def test_events_of_one_request_share_its_use_of_the_limit(site, settings):
    settings.RATE_LIMIT_COLLECT = 1
    work = writer.Work((event(site), event(site, event_id="a")), "ip:a", 7)
    again = writer.Work((event(site, event_id="a"), event(site)), "ip:b", 7)
    stored = write([work, again, work])
    assert [s.used for s in stored] == [1, 1, 2]
    assert [s.are_new for s in stored] == [(True, True), (False, True), ()]
    assert Event.objects.count() == 3


@pytest.mark.parametrize(
    ("cause", "is_of_all"),
    [
        (None, True),
        (psycopg.errors.AdminShutdown(), True),
        (psycopg.errors.TooManyConnections(), True),
        (psycopg.errors.ProtocolViolation(), True),
        (psycopg.errors.ConnectionFailure(), False),
        (psycopg.errors.DiskFull(), True),
        (psycopg.errors.QueryCanceled(), False),
        (psycopg.errors.LockNotAvailable(), False),
        (psycopg.errors.DeadlockDetected(), False),
    ],
)
def test_error_without_a_state_or_of_the_server_concerns_all(cause, is_of_all):
    error = OperationalError("x")
    error.__cause__ = cause
    assert faults.concerns_all(error) is is_of_all
