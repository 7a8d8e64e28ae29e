"""Long questions and exports: of each team so many at once, and nobody else waits."""

import json
import socket
import time

import pytest
from django.core.signals import request_finished
from django.db import close_old_connections

from analytics.questions import long_questions
from analytics.questions.long_questions import is_long
from tests.conftest import BASE, BROWSER
from tests.factories import GoalFactory, store
from tests.halves import on_both
from tests.running import Service, running

SITE = f"{BASE}/sites/sk_abc123def456"
GOAL = f"{SITE}/goals/6d9a3d0e-7d3c-4c6f-9b1e-1c1d1a2b3c4d"


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", f"{GOAL}/stats", "", False),
        ("GET", f"{GOAL}/stats", "period=12mo&compare=year&detail=money", False),
        ("GET", f"{GOAL}/stats", "period=12mo&country=DE", True),
        ("GET", f"{SITE}/goals/stats", "period=30d", False),
        ("GET", f"{SITE}/goals/stats", "period=30d&path=%2F", True),
        ("GET", f"{SITE}/stats", "period=30d", False),
        ("GET", f"{SITE}/stats", "dimensions=path", True),
        ("GET", f"{GOAL}/timeseries", "", True),
        ("HEAD", f"{GOAL}/breakdown", "dimension=path", True),
        ("GET", f"{GOAL}/breakdown", "dimension=path", True),
        ("GET", f"{GOAL}/rate", "", True),
        ("GET", f"{GOAL}/conversions", "", True),
        ("POST", f"{SITE}/funnels/query", "", True),
        ("POST", f"{SITE}/goals/preview", "", True),
        ("POST", f"{BASE}/mcp", "", True),
        ("GET", f"{SITE}/goals", "", False),
        ("POST", f"{SITE}/goals", "", False),
        ("GET", f"{SITE}/realtime", "", False),
        ("POST", f"{SITE}/events", "", False),
        ("PUT", f"{GOAL}/rate", "", False),
        ("GET", "/admin/", "", False),
        ("GET", "/nothing", "", False),
        ("GET", "/\0", "", False),
    ],
)
def test_long_questions_are_known_by_their_route(method, path, query, expected):
    assert is_long(method, path, query) == expected


@pytest.fixture
def goal(site, settings):
    settings.LONG_QUESTIONS_PER_TEAM = 2
    for number in range(3):
        store(site, "event", f"signup {number}")
    return GoalFactory.create(
        site=site, type="event", match_type="contains", match_value="signup"
    )


def export(ask, site, goal):
    return ask(
        "GET",
        f"/sites/{site.site_key}/goals/{goal.id}/conversions",
        headers={"Accept": "application/x-ndjson"},
    )


def close(response):
    """As a server does; the connection is the test's own."""
    request_finished.disconnect(close_old_connections)
    response.close()
    request_finished.connect(close_old_connections)


def test_exports_of_a_team_are_bounded_until_they_are_closed(
    reader, stranger, site, goal, client_with
):
    other_key = client_with(site.team, "*")
    open_exports = [export(reader, site, goal), export(other_key, site, goal)]
    refused = export(reader, site, goal)
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "5"
    assert "Your team has too many long queries" in refused.json()["error"]
    # What is no long question is answered, and so is another team.
    stats = f"/sites/{site.site_key}/goals/{goal.id}/stats"
    assert reader("GET", stats).status_code == 200
    assert reader("GET", f"{stats}?country=DE").status_code == 503
    assert export(stranger, site, goal).status_code == 404
    # Closing twice gives back one place.
    close(open_exports[0])
    close(open_exports[0])
    third = export(reader, site, goal)
    assert third.status_code == 200
    assert export(reader, site, goal).status_code == 503
    assert len(b"".join(third.streaming_content).splitlines()) == 3
    close(third)
    close(open_exports[1])
    assert not long_questions._teams._working


def test_question_that_fails_gives_its_place_back(reader, site, goal):
    path = f"/sites/{site.site_key}/goals/{goal.id}/breakdown?dimension=nothing"
    assert [reader("GET", path).status_code for _ in range(5)] == [422] * 5
    assert not long_questions._teams._working


# A real server, whose threads for long questions have connections of their own


EVENTS = 12_000


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """One worker whose files may hold nothing: threads wait for their clients."""
    folder = tmp_path_factory.mktemp("busy")
    with running(folder, workers=1, SPOOL_MEGABYTES="0", SEND_SECONDS="20") as service:
        yield service


def filled(service):
    """The path of a goal with more conversions than sockets hold."""
    site = f"/sites/{service.new_site()}"
    event = {"type": "event", "name": "signup", "visitor_id": "v"}
    batch = {"events": [{**event, "props": {"note": "x" * 1_000}}] * 1_000}
    for _ in range(EVENTS // 1_000):
        assert service("POST", f"{site}/events", batch).status == 200
    rule = {"name": "a", "type": "event", "match_type": "contains", "match_value": "s"}
    goal = service("POST", f"{site}/goals", {**rule, "currency": None}).json()["data"]
    return f"{site}/goals/{goal['id']}"


def leave(service, path, secret):
    """Begin an export, and read nothing of it."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    host, _, port = service.server.url.removeprefix("http://").partition(":")
    client.connect((host, int(port)))
    client.sendall(
        f"GET {BASE}{path}/conversions?period=7d HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {secret}\r\nAccept: text/csv\r\n\r\n".encode()
    )
    return client


@on_both
def test_unread_exports_stop_nobody_else(busy):
    goal = filled(busy)
    questions = [f"{goal}/breakdown?dimension=country", f"{goal}/rate"]
    assert [busy("GET", path).status for path in questions] == [200, 200]
    clients = [leave(busy, goal, busy.secret) for _ in range(8)]
    time.sleep(1)
    begun = time.monotonic()
    for _ in range(5):
        assert busy("GET", f"{goal}/stats").status == 200
        event = {"site": "sk_unknownunkno", "type": "pageview", "url": "/"}
        headers = {"User-Agent": BROWSER, "Content-Type": "text/plain"}
        body = json.dumps(event).encode()
        assert busy.send("POST", "/collect", body, headers).status == 202
    assert time.monotonic() - begun < 2
    # Its team has two at work, whatever key it takes.
    keys = Service(busy.server, busy.secret)
    keys.url = f"{busy.server.url}/api/v1"
    other = keys("POST", "/tokens", {"name": "o", "scopes": ["*"]}).json()["data"]
    key = {"Authorization": f"Bearer {other['token']}"}
    refused = busy.send("GET", questions[0], None, key)
    assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
    for client in clients:
        client.close()
    for _ in range(50):
        if busy("GET", questions[0]).status == 200:
            return
        time.sleep(0.1)
    pytest.fail("the places were not given back")
