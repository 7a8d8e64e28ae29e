"""A real database that is frozen, or gone: what each kind of route answers."""

import os
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from benchmarks.crash import Database
from tests.conftest import BASE
from tests.running import running

pytestmark = pytest.mark.skipif(
    not os.environ.get("DATABASE_URL", "").startswith("postgres"),
    reason="once is enough, in the half of PostgreSQL",
)
ROUTES = (
    ("POST", BASE + "/collect"),
    ("GET", BASE + "/sites"),
    ("GET", "/admin/login/"),
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
            # What it would drop in the end is gone by then.
            with (
                suppress(psycopg.OperationalError),
                running(folder, workers=1) as service,
            ):
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
    assert service.open("/a.js").status == 200
    assert service.open("/healthz").status == 200


def assert_back(service, site):
    deadline = time.monotonic() + 10
    while any(ask(service, site, *route)[0] == 503 for route in ROUTES):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert [ask(service, site, *route)[0] for route in ROUTES] == [202, 200, 200]


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
