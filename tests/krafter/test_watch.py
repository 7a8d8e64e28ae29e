"""A real database that is frozen, or gone: what each kind of route answers."""

import os
import signal
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from benchmarks.crash import Database
from tests.conftest import BASE
from tests.halves import on_postgresql
from tests.running import running

pytestmark = on_postgresql
ROUTES = (
    ("POST", BASE + "/collect"),
    ("GET", BASE + "/sites"),
    ("GET", "/admin/login/"),
    # In the threads for long questions, which have a pool of their own.
    ("GET", BASE + "/sites/{site}/stats?dimensions=path"),
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A database of its own, and a service on it."""
    folder = tmp_path_factory.mktemp("watch")
    patch = pytest.MonkeyPatch()
    # Where the account that PostgreSQL runs as may go, which pytest's folders are not.
    with tempfile.TemporaryDirectory() as home, Database(Path(home)) as database:
        patch.setenv("DATABASE_URL", database.url)
        try:
            with running(folder, workers=1) as service:
                yield database, service, service.new_site()
        finally:
            patch.undo()


def ask(service, site, method, path):
    """The status, whether it says when to come back, and the time it took."""
    body, headers = None, {"Authorization": f"Bearer {service.secret}"}
    if method == "POST":
        event = f'{{"site": "{site}", "type": "event", "name": "a"}}'
        body, headers = event.encode(), {"User-Agent": "Mozilla/5.0 Firefox/140.0"}
    began = time.monotonic()
    path = path.format(site=site)
    if path.startswith(BASE):
        answer = service.send(method, path.removeprefix(BASE), body, headers)
    else:
        answer = service.open(path)
    took = time.monotonic() - began
    return answer.status, answer.headers["Retry-After"], took


def assert_away(service, site):
    """Each route says so in time, at first and then at once; the script is there."""
    for route in ROUTES * 2:
        status, retry_after, took = ask(service, site, *route)
        assert (status, retry_after) == (503, "1"), route
        assert took < 4, route
    for path, status in (("/a.js", 200), ("/healthz", 200), ("/readyz", 503)):
        times = [timed(service, path, status) for _ in range(9)]
        # /readyz looks for a second; the others do not depend on the database.
        assert statistics.median(times) < (1.5 if path == "/readyz" else 0.1), path


def timed(service, path, status):
    began = time.monotonic()
    assert service.open(path).status == status, path
    return time.monotonic() - began


def assert_back(service, site):
    deadline = time.monotonic() + 10
    while any(ask(service, site, *route)[0] == 503 for route in ROUTES):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert [ask(service, site, *route)[0] for route in ROUTES] == [202, 200, 200, 200]


def test_frozen_database(stage):
    database, *called = stage
    assert_back(*called)
    pids = database.pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert_away(*called)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert_back(*called)


def test_database_that_is_down(stage):
    database, *called = stage
    assert_back(*called)
    with database.down():
        assert_away(*called)
    assert_back(*called)


def url_of_service(database):
    with psycopg.connect(database.url) as connection:
        [(name,)] = connection.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'service%'"
        )
    return f"{database.url.rpartition('/')[0]}/{name}"


@pytest.mark.parametrize("question", ["stats?period=12mo", "rate?period=12mo"])
def test_question_does_not_wait_long_for_a_lock(stage, question):
    """Both would keep what they count; the second has threads of its own."""
    database, service, site = stage
    assert_back(service, site)
    rule = {"type": "event", "match_type": "exact", "match_value": "a"}
    path = f"/sites/{site}/goals"
    goal = service("POST", path, {"name": question, **rule}).json()["data"]["id"]
    past = {"type": "event", "name": "a", "visitor_id": "v"}
    past["timestamp"] = f"{(datetime.now(UTC) - timedelta(days=9)).isoformat()}"
    events = {"events": [past]}
    assert service("POST", f"/sites/{site}/events", events).status == 200
    with psycopg.connect(url_of_service(database)) as other:
        other.execute("LOCK TABLE goals_goalmonth, analytics_sitemonth IN SHARE MODE")
        began = time.monotonic()
        answer = service("GET", f"{path}/{goal}/{question}")
        assert time.monotonic() - began < 4
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert service("GET", f"{path}/{goal}/{question}").status == 200
