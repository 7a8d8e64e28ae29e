"""Who asks in the tests: a reader, a writer, an owner, and a stranger."""

import gc
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import (
    DEFAULT_DB_ALIAS,
    close_old_connections,
    connection,
    connections,
)
from django.test import Client, override_settings
from django.utils.timezone import now

from analytics import append_only, events
from analytics.access import attempts, audit
from analytics.ingest import country, salts, site_lookup, visitors
from analytics.models import ApiToken, AuditEntry, EventName, Site, Team
from analytics.questions import long_questions
from goals.counting import stats
from krafter import clock, faults
from tests import halves, partitions
from tests.contract.responses import CheckedClient
from tests.factories import GoalFactory, SiteFactory, store
from tests.queries import assert_queries
from tests.routes import RULE
from tests.running import Service, running

BASE = "/api/v1/analytics"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--partitioned",
        action="store_true",
        help="on PostgreSQL: keep facts in partitions by site (tests/partitions.py)",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    halves.leave_to_the_other(items)


def pytest_collection_finish() -> None:
    """Exempt what is there by now from garbage collection: it stays until the end.

    Searching all modules and tests again and again took an eighth of the time.
    """
    gc.collect()
    gc.freeze()


WATCH = partitions.Watch()
# Without a test that needs a database no test database is made: this one is left alone.
DEVELOPERS_DATABASE = connection.settings_dict["NAME"]


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any
) -> Iterator[None]:
    """The test database of pytest-django, in partitions with `--partitioned`.

    With CITUS=1 it is distributed, on the one machine that DATABASE_URL names.
    """
    if connection.settings_dict["NAME"] == DEVELOPERS_DATABASE:
        yield
        return
    with django_db_blocker.unblock():
        if connection.vendor == "sqlite":
            # Django empties tables there by DELETE, after tests with transactions of
            # their own. `test_audit` puts the triggers back.
            append_only.unprotect(connection, AuditEntry._meta.db_table)
            close_all_but_this_thread()
        if request.config.getoption("--partitioned"):
            partitions.rebuild()
            WATCH.start()
        elif os.environ.get("CITUS") == "1":
            partitions.distribute()
    yield
    if connection.vendor == "postgresql":
        # It drops no database that a thread's pool is still connected to.
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


def close_all_but_this_thread() -> None:
    """Let `close()` close connections to SQLite's database in memory, except this one.

    Django never closes them, because the database would be lost with the last one.
    Python 3.13 warns of open ones, in the test that runs at that time.
    """
    keeper: Any = connections[DEFAULT_DB_ALIAS]
    type(keeper).is_in_memory_db = lambda opened: opened is keeper


@pytest.fixture(autouse=True)
def statements_need_one_site() -> Iterator[None]:
    """Fail the test whose statements need more, with `--partitioned`."""
    yield
    found, WATCH.found = WATCH.found, []
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.fixture(autouse=True)
def forget_everything() -> Iterator[None]:
    """Memories of a process outlive a test's database: drop them."""
    yield
    events.forget()
    stats.forget()
    site_lookup.forget()
    salts.forget()
    visitors.forget_clients()
    country.forget()
    clock.forget()
    faults.forget()
    attempts.forget()
    audit.forget()
    long_questions.forget()


@pytest.fixture(scope="session", autouse=True)
def usual_surroundings() -> Iterator[None]:
    """Once for all tests, since setting these for each took a millisecond."""
    with (
        override_settings(
            # Tests of housekeeping look at its deletions; others turn it on.
            COUNT_AHEAD=False,
            # Tests of the limits set their own.
            RATE_LIMIT_API=0,
            RATE_LIMIT_COLLECT=0,
            RATE_LIMIT_UNKNOWN_KEYS=0,
            RATE_LIMIT_SIGN_IN=0,
            # Without it, WhiteNoise begins with a walk over all static files for each
            # test client, of 25 ms.
            WHITENOISE_AUTOREFRESH=True,
        ),
        pytest.MonkeyPatch.context() as patch,
    ):
        # The hashes in use take a quarter of a second each, on purpose.
        patch.setattr(PBKDF2PasswordHasher, "iterations", 1)
        patch.setattr("analytics.ingest.writer.close_old_connections", release)
        yield


def release() -> None:
    """Close old connections as in production, but none within a transaction.

    A test's transaction lives on its connection: PostgreSQL's would be lost. Where a
    test has none, and in other threads, it is released.
    """
    if not connection.in_atomic_block:
        close_old_connections()


@pytest.fixture
def log_everything(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Have caplog hold every level, and each statement with its parameters."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "django.db.backends")
    connection.force_debug_cursor = True
    yield
    connection.force_debug_cursor = False


@pytest.fixture
def site(db: None) -> Site:
    return SiteFactory.create(domain="example.com", site_key="sk_abc123def456")


@pytest.fixture
def strangers_site(db: None) -> Site:
    return SiteFactory.create(domain="stranger.example")


@pytest.fixture
def ids(site: Site) -> dict[str, Any]:
    """The owner's own things, by the placeholders of `tests.routes`."""
    token, _ = ApiToken.issue(team=site.team, name="spare", scopes=["analytics:read"])
    return {
        "site": site.site_key,
        "goal": GoalFactory.create(site=site).id,
        "deleted_goal": GoalFactory.create(site=site, deleted_at=now()).id,
        "token": token.uuid,
        "deleted_site": SiteFactory.create(
            team=site.team, domain="deleted.example", deleted_at=now()
        ).site_key,
        "funnel": site.funnels.create(name="Way", steps=[RULE, RULE]).pk,
        "annotation": site.annotations.create(day=now().date(), text="Sale").pk,
        "name": _name_sent(site),
    }


def _name_sent(site: Site) -> UUID:
    store(site, "event", "signup")
    digest = EventName.objects.get(site_id=site.pk, name="signup").digest
    return UUID(bytes=bytes(digest))


class ApiClient:
    """Calls the API with one key; `queries=N` asserts their number.

    See `tests.queries` for what counts. What a stream reads later does not.
    """

    def __init__(self, secret: str) -> None:
        self.client = CheckedClient(headers={"Authorization": f"Bearer {secret}"})

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = b"",
        *,
        queries: int | None = None,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> Any:
        """`path` is below the analytics base unless it begins with /api/.

        `body`: bytes as they are, anything else as JSON.
        """
        if not path.startswith("/api/"):
            path = BASE + path
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        counting = nullcontext() if queries is None else assert_queries(queries)
        with counting:
            return self.client.generic(
                method, path, data, content_type, headers=headers
            )


@pytest.fixture
def client_with() -> Callable[..., ApiClient]:
    """Make a client for a new key: `client_with(site.team, "analytics:read")`."""

    def make(team: Team, *scopes: str, **values: Any) -> ApiClient:
        _, secret = ApiToken.issue(
            team=team, name="test", scopes=list(scopes), **values
        )
        return ApiClient(secret)

    return make


@pytest.fixture
def reader(site: Site, client_with: Callable[..., ApiClient]) -> ApiClient:
    return client_with(site.team, "analytics:read")


@pytest.fixture
def writer(site: Site, client_with: Callable[..., ApiClient]) -> ApiClient:
    return client_with(site.team, "analytics:write")


@pytest.fixture
def owner(site: Site, client_with: Callable[..., ApiClient]) -> ApiClient:
    return client_with(site.team, "*")


@pytest.fixture
def stranger(strangers_site: Site, client_with: Callable[..., ApiClient]) -> ApiClient:
    """Another team's key that may do everything there."""
    return client_with(strangers_site.team, "*")


@pytest.fixture
def anyone(db: None) -> Client:
    """A client without a key: a visitor's browser."""
    return CheckedClient()


@pytest.fixture
def track(site: Site) -> Callable[..., Any]:
    """Send an event as the tracker does; the answer names why it was dropped.

    `environ` are other parts of the request, such as REMOTE_ADDR.
    """

    def track(event: Any, headers: dict[str, str] | None = None, **environ: Any) -> Any:
        if isinstance(event, dict):
            event = json.dumps({"site": site.site_key, **event})
        return CheckedClient(headers={"User-Agent": BROWSER}).post(
            f"{BASE}/collect?debug=1",
            event,
            content_type="text/plain",
            headers=headers,
            **environ,
        )

    return track


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service over HTTP, several processes of it, on a database of its own."""
    with running(tmp_path_factory.mktemp("service")) as service:
        yield service
