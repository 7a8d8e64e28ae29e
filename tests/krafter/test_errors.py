"""Bad input at every endpoint: 4xx in the one shape, and never a 500."""

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.db import OperationalError
from django.test import Client

from tests.routes import BASE, DOCUMENTS, NOBODYS, PRIVATE, ROUTES, WITH_BODY, labels

pytestmark = pytest.mark.django_db

PRIVATE_WITH_BODY = [route for route in WITH_BODY if route.scope]
# The fields of a JSON-RPC message are answered for in JSON-RPC, see test_mcp.
WITH_FIELDS = [route for route in WITH_BODY if not route.path.endswith("/mcp")]
PRIVATE_WITH_FIELDS = [route for route in WITH_FIELDS if route.scope]
# The export of a team is a stream of lines, whatever is accepted.
JSON = [route for route in PRIVATE if route.path != "/team/export"]
WITH_PARAMS = [route for route in PRIVATE if route.params]
WITH_IDS = [route for route in ROUTES if "{" in route.path]
PATHS = sorted({route.path for route in ROUTES})
API_PATHS = sorted(set(PATHS) - set(DOCUMENTS))

# Values that are wrong in nearly every field; a field may take a few of them.
HOSTILE: list[Any] = [
    None,
    True,
    -1,
    1.5,
    10**30,
    1e300,
    "",
    " ",
    "x",
    "\0",
    "a\0b",
    "\u202e\n\r\t",
    "é" * 300,
    "x" * 5_000,
    "1e999999999",
    "NaN",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    [],
    [None],
    [[]],
    ["\0"],
    ["x"] * 2_000,
    {},
    {"\0": "\0"},
    {str(n): n for n in range(100)},
]
# The same for query parameters, as they stand in a URL.
HOSTILE_TEXTS = [
    "a%00b",
    "%ED%A0%80",
    "%FF",
    "%",
    "é",
    "-1",
    "0",
    "1e9",
    "null",
    "[]",
    "x" * 9_000,
    "0001-01-01",
    "9999-12-31",
    "2026-02-30",
]
NOT_JSON = [
    b"",
    b" ",
    b"{",
    b"}",
    b"{'a': 1}",
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\x00}\x00",
    b"<goal/>",
    b"name=x&type=event",
]
NOT_A_VALUE = [
    b"NaN",
    b"-Infinity",
    b"01",
    b"1.",
    b"'x'",
    b'"\t"',
    b'"\xff"',
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'"\\x00"',
    b"",
]
DEEP = [
    b"[" * 5_000,
    b"[" * 5_000 + b"]" * 5_000,
    b'{"a":' * 1_300,
    b"[" * 100 + b"]" * 100,
    b'{"a":' * 100 + b"1" + b"}" * 100,
]
NOT_AN_OBJECT = [b"[]", b"null", b"true", b"1", b'"x"', b"[{}]"]
ODD_IDS = [
    "x",
    "-1",
    "0",
    "%00",
    "a%00b",
    "%FF",
    "%ED%A0%80",
    "%C3%A9",
    "%0A",
    "%20",
    "%25",
    "%2e%2e",
    "..",
    "'",
    '"',
    "%3Cscript%3E",
    "*",
    "null",
    "sk_",
    "sk_abc123def456%00",
    "SK_ABC123DEF456",
    "00000000-0000-0000-0000-000000000000",
    "zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz",
    "x" * 5_000,
    "9" * 5_000,
]


def assert_error(response, status=None):
    """The contract's error shape, whatever the error."""
    assert 400 <= response.status_code < 500, response.content
    if status is not None:
        assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/json"
    body = response.json()
    assert isinstance(body["error"], str)
    if response.status_code != 422:
        assert body.keys() == {"error"}
        return
    assert body.keys() == {"error", "details"}
    assert body["error"] == "Validation failed"
    assert body["details"]
    for messages in body["details"].values():
        assert isinstance(messages, list)
        assert messages
        assert all(isinstance(message, str) for message in messages)


@pytest.fixture
def owner(owner):
    owner.client.raise_request_exception = False
    return owner


@pytest.fixture
def send(owner, ids):
    """Send a route's own request, changed as the arguments say."""

    def send(route, body=None, *, query="", **changes):
        url = route.url(**{**ids, **changes.pop("ids", {})})
        sent = route.body or b"" if body is None else body
        return owner(changes.pop("method", route.method), url + query, sent, **changes)

    return send


@pytest.mark.parametrize("route", ROUTES, ids=labels(ROUTES))
def test_row_itself_is_accepted(route, send):
    query = urlencode(route.params)
    assert send(route, query=f"?{query}").status_code == route.status


# The body


@pytest.mark.parametrize("route", WITH_BODY, ids=labels(WITH_BODY))
def test_broken_json_is_400(route, send):
    text = json.dumps(route.body).encode()
    broken = [text[:-1], text + b"}", text + text, text[:-1] + b",}"]
    first = json.dumps(next(iter(route.body.values()))).encode()
    broken += [text.replace(first, value, 1) for value in NOT_A_VALUE]
    for body in NOT_JSON + broken:
        response = send(route, body)
        assert_error(response, 400)
        assert response.json() == {"error": "Malformed JSON"}, body[:60]


@pytest.mark.parametrize("route", WITH_BODY, ids=labels(WITH_BODY))
def test_deep_nesting_is_refused(route, send):
    text = json.dumps({**route.body, next(iter(route.body)): "?"}).encode()
    for value in DEEP:
        assert_error(send(route, text.replace(b'"?"', value)))


@pytest.mark.parametrize("route", WITH_FIELDS, ids=labels(WITH_FIELDS))
def test_body_that_is_no_object_is_400(route, send):
    for body in NOT_AN_OBJECT:
        assert_error(send(route, body), 400)


@pytest.mark.parametrize("route", WITH_BODY, ids=labels(WITH_BODY))
def test_array_is_told_what_to_send(route, send):
    for body in (b"[]", json.dumps([route.body]).encode()):
        response = send(route, body)
        assert_error(response, 400)
        assert response.json()["error"].startswith("Send ")
        assert " object" in response.json()["error"]


@pytest.mark.parametrize("path", ["goals", "goals/apply", "events"])
def test_array_of_many_is_told_where_many_go(path, owner, ids):
    response = owner("POST", f"/sites/{ids['site']}/{path}", b"[{}]")
    name = "events" if path == "events" else "goals"
    assert f'{{"{name}": [...]}}' in response.json()["error"]


PATCHES = [route for route in ROUTES if route.method == "PATCH"]


@pytest.mark.parametrize("route", PATCHES, ids=labels(PATCHES))
def test_patch_takes_a_merge_patch(route, send):
    for content_type in ("", "; charset=utf-8"):
        content_type = f"application/merge-patch+json{content_type}"
        assert send(route, content_type=content_type).status_code == route.status


@pytest.mark.parametrize("route", WITH_FIELDS, ids=labels(WITH_FIELDS))
def test_value_that_is_no_choice_is_told_the_choices(route, send):
    for field in route.body:
        response = send(route, {**route.body, field: "nonesuch"})
        if response.status_code == 422:
            (messages,) = response.json()["details"].values()
            for message in messages:
                assert "nonesuch" not in message or " of: " in message


@pytest.mark.parametrize("route", ROUTES, ids=labels(ROUTES))
def test_parameter_that_is_no_choice_is_told_the_choices(route, send):
    for name in route.params:
        query = {**route.params, name: "nonesuch"}
        response = send(route, query=f"?{urlencode(query)}")
        if response.status_code == 422:
            for message in response.json()["details"].get(name, ()):
                assert "nonesuch" not in message or " of: " in message


@pytest.mark.parametrize("route", WITH_FIELDS, ids=labels(WITH_FIELDS))
def test_unknown_field_is_named(route, send):
    for name in ("nmae", "match-value", "\0", "é", "x" * 1_000):
        response = send(route, {**route.body, name: "x"})
        assert_error(response, 422)
        assert list(response.json()["details"]) == [name]


@pytest.mark.parametrize("route", PRIVATE_WITH_FIELDS, ids=labels(PRIVATE_WITH_FIELDS))
def test_hostile_value_in_any_field_is_no_500(route, send):
    refused = 0
    for field in route.body:
        for value in HOSTILE:
            response = send(route, {**route.body, field: value})
            if response.status_code >= 300:
                assert_error(response)
                assert response.status_code in (413, 422)
                refused += 1
    assert refused > len(HOSTILE) * len(route.body) / 4


@pytest.mark.parametrize("route", WITH_FIELDS, ids=labels(WITH_FIELDS))
def test_huge_number_in_any_field_is_said_of_the_field(route, send):
    for field in route.body:
        for number in (b"1e400", b"-1e400", b"9" * 5_000, b"1e-400", b"1" + b"0" * 400):
            body = json.dumps({**route.body, field: "?"}).encode()
            response = send(route, body.replace(b'"?"', number))
            if response.status_code >= 300:
                assert_error(response, 422)
                [name] = response.json()["details"]
                assert name.partition(".")[0] == field


@pytest.mark.parametrize(
    "route",
    [route for route in WITH_FIELDS if route.method == "POST"],
    ids=lambda route: route.path,
)
def test_empty_object_names_what_is_missing(route, send):
    response = send(route, {})
    assert_error(response, 422)
    assert response.json()["details"].keys() <= route.body.keys()


@pytest.mark.parametrize("route", PRIVATE_WITH_BODY, ids=labels(PRIVATE_WITH_BODY))
def test_other_content_type_is_415(route, send):
    for content_type in (
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "x",
    ):
        assert_error(send(route, content_type=content_type), 415)


@pytest.mark.parametrize("route", PRIVATE_WITH_BODY, ids=labels(PRIVATE_WITH_BODY))
def test_compressed_body_is_415(route, send):
    """It would be malformed JSON, which does not say what is wrong."""
    response = send(route, headers={"Content-Encoding": "gzip"})
    assert_error(response, 415)
    assert response.json()["error"] == "Send the body without Content-Encoding"
    assert response.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("route", PRIVATE_WITH_BODY, ids=labels(PRIVATE_WITH_BODY))
def test_json_with_a_charset_is_json(route, send):
    response = send(route, content_type="application/json; charset=utf-8")
    assert response.status_code == route.status


@pytest.mark.parametrize("route", WITH_BODY, ids=labels(WITH_BODY))
def test_too_large_body_is_413(route, send):
    body = json.dumps(route.body).encode()
    assert_error(send(route, body + b" " * (9 << 20)), 413)


# The path


@pytest.mark.parametrize("route", WITH_IDS, ids=labels(WITH_IDS))
def test_odd_id_is_404(route, send, ids):
    names = [name for name in ids if f"{{{name}}}" in route.path]
    assert len(names) == route.path.count("{")
    for name in names:
        for odd in ODD_IDS:
            response = send(route, ids={name: odd})
            assert_error(response, 404)
            assert response.json() == {"error": "Not found"}


@pytest.mark.parametrize("spelling", ["{{{0}}}", "urn:uuid:{0}", "{0.hex}", "{0}-"])
def test_goal_has_one_address(spelling, owner, ids):
    odd = spelling.format(ids["goal"])
    assert_error(owner("GET", f"/sites/{ids['site']}/goals/{odd}"), 404)


@pytest.mark.parametrize("path", PATHS)
def test_trailing_slash_is_404(path, owner, ids):
    assert_error(owner("GET", BASE + path.format(**ids) + "/"), 404)


@pytest.mark.parametrize(
    "path",
    [
        "/api/",
        "/api/v1",
        "/api/v1/",
        "/api/v2/analytics/sites",
        "/api/v1/analytics",
        "/api/v1/analytics/goals",
        "/api/v1/Analytics/sites",
        "/api/%00",
        "/api/%FF",
    ],
)
def test_unknown_route_is_404_with_and_without_a_key(path, owner):
    for response in (owner("GET", path), owner("POST", path, {}), Client().get(path)):
        assert_error(response, 404)
        assert response.json() == {"error": "Not found"}


# The method


@pytest.mark.parametrize("path", PATHS)
def test_other_method_is_405_and_allow_names_the_right_ones(path, owner, ids):
    known = {route.method for route in ROUTES if route.path == path}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO"} - known:
        response = owner(method, BASE + path.format(**ids))
        assert_error(response, 405)
        assert response.json() == {"error": "Method not allowed"}
        allow = set(response.headers["Allow"].split(", ")) - {"OPTIONS"}
        assert allow == known | ({"HEAD"} if "GET" in known else set())


@pytest.mark.parametrize("path", API_PATHS)
def test_options_lists_the_methods(path, owner, ids):
    response = owner("OPTIONS", BASE + path.format(**ids))
    assert (response.status_code, response.content) == (204, b"")
    known = {route.method for route in ROUTES if route.path == path}
    allow = (
        response.headers.get("Allow")
        or response.headers["Access-Control-Allow-Methods"]
    )
    assert known <= set(allow.split(", "))


@pytest.mark.parametrize("route", PRIVATE, ids=labels(PRIVATE))
def test_answer_in_another_form_is_406(route, send):
    for accept in ("text/html", "application/xml", "image/png", "x", ";;;"):
        assert_error(send(route, headers={"Accept": accept}), 406)


@pytest.mark.parametrize("route", JSON, ids=labels(JSON))
def test_what_clients_accept_is_json(route, send):
    accept = "text/html, application/json;q=0.9, */*;q=0.1"
    response = send(route, headers={"Accept": accept})
    assert response.status_code == route.status
    assert response.headers["Content-Type"] == "application/json"


# The query


@pytest.mark.parametrize("route", WITH_PARAMS, ids=labels(WITH_PARAMS))
def test_unknown_parameter_is_named(route, send):
    for name in ("perod", "Period", "page", "format", ""):
        response = send(route, query=f"?{name}=1")
        assert_error(response, 422)
        assert list(response.json()["details"]) == [name]


@pytest.mark.parametrize("route", WITH_PARAMS, ids=labels(WITH_PARAMS))
def test_repeated_parameter_is_named(route, send):
    for name, value in route.params.items():
        response = send(route, query="?" + urlencode([(name, value)] * 2))
        assert_error(response, 422)
        assert list(response.json()["details"]) == [name]


@pytest.mark.parametrize("route", WITH_PARAMS, ids=labels(WITH_PARAMS))
def test_hostile_parameter_is_no_500(route, send):
    """Alone among good ones the worst values, and every value in all at once."""
    good = {name: quote(value) for name, value in route.params.items()}
    queries = [
        {**good, name: value}
        for name in route.params
        for value in ("", "%00", "9" * 400)
    ]
    queries += [dict.fromkeys(route.params, value) for value in HOSTILE_TEXTS]
    refused = 0
    for params in queries:
        query = "&".join(f"{name}={value}" for name, value in params.items())
        response = send(route, query=f"?{query}")
        if response.status_code >= 300:
            assert_error(response, 422)
            assert response.json()["details"].keys() <= route.params.keys()
            refused += 1
    assert refused >= len(queries) / 4


@pytest.mark.parametrize("route", PRIVATE, ids=labels(PRIVATE))
def test_odd_query_string_is_no_500(route, send):
    for query in ("?%00=%00", "?x=%FF", "?=", "?&&&", "?" + "a=1&" * 1_500):
        response = send(route, query=query)
        if response.status_code >= 300:
            assert_error(response)


# The order of checks: 401, 429, 403, 404, 422


@pytest.mark.parametrize("route", PRIVATE, ids=labels(PRIVATE))
def test_no_key_comes_before_everything(route, ids):
    response = Client().generic(
        route.method, route.url(**ids), b"{", "application/json"
    )
    assert_error(response, 401)
    unknown = Client().generic(route.method, route.url(**NOBODYS))
    assert_error(unknown, 401)
    assert_error(Client().put(route.url(**ids)), 401)


@pytest.mark.parametrize("route", PRIVATE, ids=labels(PRIVATE))
def test_spent_limit_comes_before_the_scope(route, site, ids, client_with, settings):
    settings.RATE_LIMIT_API = 1
    call = client_with(site.team)
    answers = [call(route.method, route.url(**ids), b"{").status_code for _ in "12"]
    assert answers == [403, 429]


@pytest.mark.parametrize("route", PRIVATE, ids=labels(PRIVATE))
def test_scope_comes_before_the_resource(route, site, client_with):
    url = route.url(**NOBODYS)
    assert_error(client_with(site.team)(route.method, url, b"{"), 403)


@pytest.mark.parametrize("route", WITH_IDS, ids=labels(WITH_IDS))
def test_resource_comes_before_the_fields(route, owner):
    url = route.url(**NOBODYS)
    assert_error(owner(route.method, url + "?period=x", {"nmae": 1}), 404)
    assert_error(owner(route.method, url, b"{"), 404)


# Our own faults


def test_fault_of_ours_is_500_without_a_trace(owner, monkeypatch, caplog):
    monkeypatch.setattr(
        "analytics.access.authentication.tokens.grants", lambda held, scope: 1 / 0
    )
    response = owner("GET", "/sites")
    assert response.status_code == 500
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == {"error": "Internal Server Error"}


def test_store_that_is_away_is_503(owner, monkeypatch):
    def away(*args):
        raise OperationalError("connection refused at 10.0.0.1")

    monkeypatch.setattr("analytics.sites.views.Site.objects.visible_to", away)
    response = owner("GET", "/sites")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert response.json() == {"error": "The database is unavailable; retry"}


def test_foreign_host_is_400_and_no_line_in_the_log(owner, caplog):
    response = owner("GET", "/sites", headers={"Host": "evil.example"})
    assert_error(response, 400)
    assert caplog.text == ""


def test_foreign_host_is_json_in_production_too(owner, settings):
    settings.SECURE_SSL_REDIRECT = True
    response = owner("GET", "/sites", headers={"Host": "evil.example"})
    assert response.json() == {"error": "Bad Request"}
    assert_error(response, 400)


@pytest.mark.parametrize("path", ["/login", "/admin/login/"])
def test_oversized_form_of_a_stranger_is_no_line_in_the_log(db, caplog, path):
    form = {f"field{number}": "x" for number in range(1_001)}
    assert Client().post(path, form).status_code == 400
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("is_production", "has_proxies", "scheme", "sent", "is_plain"),
    [
        (False, False, "http", None, False),
        (True, False, "http", None, True),
        (True, False, "https", None, False),
        (True, False, "http", b"https", True),
        (True, True, "http", b"https", False),
        (True, True, "http", b"https, http", False),
        (True, True, "http", b"http, https", True),
        (True, True, "http", None, True),
    ],
)
def test_plain_http_is_told_as_django_tells_it(
    settings, is_production, has_proxies, scheme, sent, is_plain
):
    from krafter import asgi

    settings.SECURE_SSL_REDIRECT = is_production
    proxied = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_PROXY_SSL_HEADER = proxied if has_proxies else None
    headers = [] if sent is None else [(b"x-forwarded-proto", sent)]
    scope = {"scheme": scheme, "headers": headers}
    assert asgi._is_plain(scope) == is_plain
    wire = {"HTTP_X_FORWARDED_PROTO": sent.decode()} if sent else {}
    answer = Client().get("/robots.txt", secure=scheme == "https", **wire)
    assert (answer.status_code == 301) == is_plain
