"""The front over real sockets: deadlines, sizes, and what strangers may hold."""

import json
import socket
import time
import urllib.parse
from contextlib import ExitStack, closing

import pytest

from tests.conftest import BASE, BROWSER
from tests.halves import on_sqlite
from tests.running import running

pytestmark = on_sqlite

SECONDS = 2
PER_CLIENT = 5
HALF_SENT = 200


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with running(
        tmp_path_factory.mktemp("front"),
        workers=1,
        HEAD_SECONDS=str(SECONDS),
        BODY_SECONDS=str(SECONDS),
        SEND_SECONDS=str(SECONDS),
        UNFINISHED_BODIES=str(PER_CLIENT),
    ) as service:
        yield service


@pytest.fixture
def connect(service):
    """Open connections, from an address of the loopback range."""
    port = urllib.parse.urlsplit(service.url).port
    with ExitStack() as stack:

        def connect(source="127.0.0.1"):
            return stack.enter_context(
                closing(
                    socket.create_connection(
                        ("127.0.0.1", port), timeout=20, source_address=(source, 0)
                    )
                )
            )

        yield connect


def head(method, path, *headers):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *headers]) + (
        "\r\n\r\n"
    )


def half_sent(connection, path=f"{BASE}/collect"):
    connection.sendall((head("POST", path, "Content-Length: 5000") + "{").encode())


def answer(connection):
    """The status, the headers by name and the body; an end without one is None."""
    file = connection.makefile("rb")
    line = file.readline()
    if not line:
        return None
    headers = {}
    while (text := file.readline().strip()) != b"":
        name, _, value = text.decode().partition(": ")
        headers[name.lower()] = value
    body = file.read(int(headers.get("content-length", 0)))
    return int(line.split()[1]), headers, body


def seconds_of(call):
    begun = time.monotonic()
    result = call()
    return time.monotonic() - begun, result


# Deadlines


@pytest.mark.parametrize("sent", ["", "GET /a.js HT", head("GET", "/healthz")])
def test_connection_that_says_nothing_more_is_ended(connect, sent):
    connection = connect()
    connection.sendall(sent.encode())
    if sent.endswith("\r\n\r\n"):
        assert answer(connection)[0] == 200
    seconds, rest = seconds_of(lambda: connection.recv(1))
    assert rest == b""
    assert SECONDS - 0.5 < seconds < SECONDS + 2


@pytest.mark.parametrize("path", [f"{BASE}/collect", f"{BASE}/sites", "/admin/login/"])
def test_half_sent_body_is_answered_at_its_deadline(connect, path):
    connection = connect()
    half_sent(connection, path)
    seconds, (status, headers, body) = seconds_of(lambda: answer(connection))
    assert SECONDS - 0.5 < seconds < SECONDS + 2
    assert status == 408
    assert json.loads(body) == {"error": "The body took too long"}
    assert headers["connection"] == "close"
    assert headers["x-request-id"]
    assert connection.recv(1) == b""


def test_half_sent_bodies_keep_nobody_waiting(service, connect):
    for number in range(HALF_SENT):
        half_sent(connect(f"127.0.0.{10 + number % 50}"))
    key = service.new_site()
    event = json.dumps({"site": key, "type": "pageview", "url": "/"}).encode()
    calls = {
        "script": lambda: service.open("/a.js"),
        "collect": lambda: service.send(
            "POST", "/collect", event, {"User-Agent": BROWSER}
        ),
        "api": lambda: service("GET", "/sites"),
    }
    for name, call in calls.items():
        seconds, given = seconds_of(call)
        assert given.status in (200, 202), name
        # Alone it takes some milliseconds; the deadline is far beyond.
        assert seconds < SECONDS / 2, name


def test_unfinished_bodies_of_a_client_are_bounded(connect):
    for _ in range(PER_CLIENT):
        half_sent(connect("127.0.0.99"))
    time.sleep(0.3)
    one_more = connect("127.0.0.99")
    half_sent(one_more)
    status, headers, body = answer(one_more)
    assert (status, headers["retry-after"]) == (429, "1")
    assert json.loads(body)["error"]
    another = connect("127.0.0.98")
    another.sendall(
        (head("POST", f"{BASE}/collect", "Content-Length: 1") + "{").encode()
    )
    assert answer(another)[0] == 400
    time.sleep(SECONDS + 1)
    again = connect("127.0.0.99")
    again.sendall((head("POST", f"{BASE}/collect", "Content-Length: 1") + "{").encode())
    assert answer(again)[0] == 400


# Sizes


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        (f"{BASE}/collect", 8 * 1024),
        (f"{BASE}/sites", 1024 * 1024),
        (f"{BASE}/sites/sk_abc123def456/events", 8 * 1024 * 1024),
        (f"{BASE}/nothing", 1024 * 1024),
        ("/admin/login/", 1024 * 1024),
        ("/a.js", 0),
        ("/healthz", 0),
        ("/nothing", 1024 * 1024),
    ],
)
@pytest.mark.parametrize("is_chunked", [False, True])
def test_body_over_the_limit_of_its_route_is_413(connect, path, limit, is_chunked):
    connection = connect()
    if is_chunked:
        sent = head("POST", path, "Transfer-Encoding: chunked").encode()
        sent += f"{limit + 1:x}\r\n".encode() + b" " * (limit + 1)
    else:
        sent = head("POST", path, f"Content-Length: {limit + 1}").encode()
    connection.sendall(sent)
    status, headers, body = answer(connection)
    assert status == 413
    assert json.loads(body) == {"error": "The body is too large"}
    assert headers["content-type"] == "application/json"
    if path.endswith("/collect"):
        assert headers["access-control-allow-origin"] == "*"


def test_body_in_parts_is_read(service, connect):
    connection = connect()
    body = json.dumps({"domain": "chunked.example", "name": "x"})
    half = len(body) // 2
    chunks = "".join(f"{len(p):x}\r\n{p}\r\n" for p in (body[:half], body[half:], ""))
    headers = [
        f"Authorization: Bearer {service.secret}",
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
    ]
    connection.sendall((head("POST", f"{BASE}/sites", *headers) + chunks).encode())
    assert answer(connection)[0] == 201


def test_event_in_parts_is_collected(service, connect):
    """Of the tracker's address too, whose bodies Django does not read."""
    event = {"site": service.new_site(), "type": "event", "name": "in parts"}
    body = json.dumps(event)
    chunks = "".join(f"{len(part):x}\r\n{part}\r\n" for part in (*body, ""))
    sent = head("POST", f"{BASE}/collect?debug=1", "Transfer-Encoding: chunked")
    connection = connect()
    connection.sendall((sent + chunks).encode())
    status, _, answered = answer(connection)
    assert status == 202
    # Without a user agent it is a program's.
    assert json.loads(answered) == {"ok": True, "dropped": "crawler"}


def test_body_that_its_client_breaks_off_is_no_request(service, connect):
    before = service("GET", "/sites").json()["data"]
    body = json.dumps({"domain": "broken.example", "name": "x"})
    headers = [
        f"Authorization: Bearer {service.secret}",
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
    ]
    connection = connect()
    chunk = f"{len(body):x}\r\n{body}\r\n"
    connection.sendall((head("POST", f"{BASE}/sites", *headers) + chunk).encode())
    connection.close()
    time.sleep(0.5)
    assert service("GET", "/sites").json()["data"] == before


@pytest.mark.parametrize("path", [f"{BASE}/collect", f"{BASE}/sites", "/nothing"])
def test_body_of_chunks_that_are_none_is_400(connect, path):
    """Granian's own answer would be a 500."""
    connection = connect()
    sent = head("POST", path, "Transfer-Encoding: chunked") + "zz\r\n{}\r\n0\r\n\r\n"
    connection.sendall(sent.encode())
    status, headers, body = answer(connection)
    assert status == 400
    assert json.loads(body) == {"error": "The body is malformed or incomplete"}
    assert headers["x-request-id"]


# Protocols and names


def test_http_2_without_tls_is_refused_and_harms_nobody(service, connect):
    connection = connect()
    settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings)
    assert not connection.recv(1 << 16).startswith(settings[:4])
    assert service("GET", "/sites").status == 200


def test_header_with_an_underscore_is_not_one_with_a_hyphen(service, connect):
    connection = connect()
    sent = head("GET", f"{BASE}/sites", f"X_Request_ID: mine{SECONDS}")
    connection.sendall(sent.encode())
    status, headers, _ = answer(connection)
    assert status == 401
    assert headers["x-request-id"] != f"mine{SECONDS}"
    connection.sendall(
        head("GET", f"{BASE}/sites", "X-Request-ID: mine").encode(),
    )
    assert answer(connection)[1]["x-request-id"] == "mine"


def test_collect_names_its_requests(service):
    event = json.dumps({"site": "x", "type": "pageview", "url": "/"}).encode()
    given = service.send("POST", "/collect", event, {"X-Request-ID": "mine"})
    assert given.headers["x-request-id"] == "mine"
    given = service.send("POST", "/collect", event, {"X-Request-ID": "a b"})
    assert len(given.headers["x-request-id"]) == 36


# What does not wait for a thread


@pytest.mark.parametrize("host", ["localhost", "stranger.example"])
def test_health_is_told_whatever_the_host(service, host):
    alive = service.open("/healthz", Host=host)
    assert (alive.status, alive.json()) == (200, {"status": "alive"})
    ready = service.open("/readyz", Host=host)
    assert (ready.status, ready.json()) == (200, {"status": "ready"})


@pytest.mark.parametrize("path", ["/a.js", "/healthz", "/readyz", "/metrics"])
def test_routes_of_the_front_are_read_only(service, path):
    for method in ("DELETE", "OPTIONS", "PATCH"):
        answer = service.open(path, method=method)
        assert (answer.status, answer.json()) == (405, {"error": "Method not allowed"})
        assert answer.headers["allow"] == "GET, HEAD"
    assert service.open(path, method="HEAD").status != 405


def test_script_is_the_same_as_django_answers(service, anyone):
    by_front, by_django = service.open("/a.js"), anyone.get("/a.js")
    assert by_front.body == by_django.content
    for name in ("Content-Type", "Cache-Control"):
        assert by_front.headers[name] == by_django.headers[name]
