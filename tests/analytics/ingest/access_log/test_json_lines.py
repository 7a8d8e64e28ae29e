"""Lines of nginx's, Caddy's and Traefik's JSON."""

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from analytics.ingest.access_log.requests import Malformed
from tests.analytics.ingest.access_log.reader import read, reader

NOON = datetime(2026, 2, 18, 12, tzinfo=UTC)
NGINX = {
    "time_iso8601": "2026-02-18T12:00:00+00:00",
    "remote_addr": "203.0.113.9",
    "request": "GET /a HTTP/1.1",
    "status": "200",
    "http_user_agent": "Firefox",
}
CADDY: dict[str, Any] = {
    "level": "info",
    "ts": 1771416000.25,
    "logger": "http.log.access.log0",
    "msg": "handled request",
    "request": {
        "remote_ip": "10.0.0.1",
        "client_ip": "203.0.113.9",
        "method": "GET",
        "host": "example.com",
        "uri": "/a?b=1",
        "headers": {"User-Agent": ["Firefox"], "Referer": ["https://a.example/"]},
    },
    "size": 512,
    "status": 200,
}
TRAEFIK = {
    "ClientHost": "203.0.113.9",
    "ClientAddr": "203.0.113.9:4711",
    "DownstreamStatus": 200,
    "DownstreamContentSize": 512,
    "RequestHost": "example.com",
    "RequestMethod": "GET",
    "RequestPath": "/a?b=1",
    "StartUTC": "2026-02-18T12:00:00.123456789Z",
    "request_User-Agent": "Firefox",
}


def nginx(**changes):
    return read("nginx-json", json.dumps(NGINX | changes))


def without(fields, *names):
    return json.dumps({name: fields[name] for name in fields.keys() - set(names)})


def test_nginx_line_says_everything():
    line = nginx(http_referer="https://a.example/", host="example.com", status=304)
    assert line._replace(identity="") == (
        *("203.0.113.9", NOON, "GET", "/a", 304, "https://a.example/", "Firefox"),
        *("", "example.com"),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time_local", "18/Feb/2026:13:00:00 +0100"),
        ("msec", "1771416000.000"),
        ("msec", 1771416000.0),
        ("timestamp", 1771416000000),
        ("@timestamp", "2026-02-18T12:00:00Z"),
        ("time", "2026-02-18 12:00:00"),
    ],
)
def test_time_is_read_in_each_form(name, value):
    fields = {key: NGINX[key] for key in NGINX.keys() - {"time_iso8601"}}
    assert read("nginx-json", json.dumps({**fields, name: value})).at == NOON


def test_time_without_an_offset_is_the_zones():
    text = json.dumps({**NGINX, "time_iso8601": "2026-02-18T13:00:00"})
    assert read("nginx-json", text, ZoneInfo("Europe/Berlin")).at == NOON


@pytest.mark.parametrize(
    "time",
    [
        "2026-02-18",
        "20260218T120000Z",
        "noon",
        "1",
        "177141600000000000000",
        "1e9",
        "-1",
    ],
)
def test_time_in_no_known_form_is_malformed(time):
    with pytest.raises(Malformed):
        nginx(time_iso8601=time)


def test_method_and_uri_may_be_apart():
    text = json.dumps(
        {**NGINX, "request": "-", "request_method": "GET", "request_uri": "/a?b"}
    )
    assert read("nginx-json", text).target == "/a?b"


def test_the_file_that_was_served_is_no_address_that_was_asked_for():
    text = json.dumps({**NGINX, "request": "", "uri": "/index.php"})
    with pytest.raises(Malformed, match="no field for the request"):
        read("nginx-json", text)


@pytest.mark.parametrize("name", ["time_iso8601", "remote_addr", "request", "status"])
def test_nginx_line_lacking_a_field_is_malformed(name):
    with pytest.raises(Malformed):
        read("nginx-json", without(NGINX, name))
    with pytest.raises(Malformed):
        nginx(**{name: None})


def test_agent_that_is_not_logged_is_unknown_and_one_not_sent_is_empty():
    assert nginx(http_user_agent="").user_agent == ""
    assert nginx(http_user_agent="-").user_agent == ""
    assert read("nginx-json", without(NGINX, "http_user_agent")).user_agent is None


@pytest.mark.parametrize(
    ("raw", "target"),
    [
        ("/caf\xc3\xa9", "/caf%C3%A9"),
        ("/caf\xe9", "/caf%E9"),
        (r"/caf\u00e9", "/caf%C3%A9"),
        (r"/\u20ac\ud83d\ude00", "/%E2%82%AC%F0%9F%98%80"),
        (r"/\"a\\b\t", "/%22a%5Cb%09"),
        # nginx without escape=json.
        (r"/caf\xC3\xA9\x22", "/caf%C3%A9%22"),
        (r"/\xe9", "/%E9"),
    ],
)
def test_bytes_and_escapes_come_out_as_they_were_sent(raw, target):
    text = json.dumps({**NGINX, "request": "GET @ HTTP/1.1"}).replace("@", raw)
    assert read("nginx-json", text).target == target


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '"a"',
        "{" * 60_000,
        '{"a":' * 10_000 + "1" + "}" * 10_000,
        '{"a":' + "[" * 60_000,
        '{"status": ' + "9" * 60_000 + "}",
        json.dumps(NGINX)[:-1],
        json.dumps(NGINX) + "x",
        json.dumps(NGINX) + json.dumps(NGINX),
        json.dumps(NGINX).replace("/a", r"/\ud800"),
        json.dumps(NGINX).replace("/a", r"/\xZZ"),
        json.dumps(NGINX).replace("/a", r"/\n\x41"),
        # A visitor's quotes, in a log that does not escape them.
        json.dumps(NGINX).replace("/a", '/a HTTP/1.1","status":"200","x":"'),
        json.dumps({**NGINX, "status": True}),
        json.dumps({**NGINX, "status": "200x"}),
        json.dumps({**NGINX, "status": 2000}),
        json.dumps({**NGINX, "status": ["200"]}),
        json.dumps({**NGINX, "remote_addr": {"ip": "203.0.113.9"}}),
        json.dumps({**NGINX, "request": ["GET /a HTTP/1.1"]}),
        json.dumps({**NGINX, "host": "a/b"}),
        json.dumps({**NGINX, "msec": float("inf"), "time_iso8601": ""}),
        json.dumps({**NGINX, "msec": float("nan"), "time_iso8601": ""}),
    ],
)
@pytest.mark.parametrize("name", ["nginx-json", "caddy", "traefik-json"])
def test_what_is_no_such_object_is_malformed(name, text):
    with pytest.raises(Malformed):
        read(name, text)


# Caddy


def caddy(request=None, **changes):
    fields = {**CADDY, **changes, "request": {**CADDY["request"], **(request or {})}}
    return read("caddy", json.dumps(fields))


def test_caddy_line_says_everything():
    assert caddy()._replace(identity="") == (
        *("203.0.113.9", datetime(2026, 2, 18, 12, 0, 0, 250_000, tzinfo=UTC)),
        *("GET", "/a?b=1", 200, "https://a.example/", "Firefox", "", "example.com"),
    )


@pytest.mark.parametrize(
    "ts", [1771416000, 1771416000000, 1771416000000000000, "2026-02-18T13:00:00.0+0100"]
)
def test_caddy_writes_times_in_several_forms(ts):
    assert caddy(ts=ts).at == NOON


def test_parts_of_a_second_are_cut():
    """The double next to this number is the next year."""
    text = json.dumps({**CADDY, "ts": 0}).replace('"ts": 0', '"ts": 1767225599.9999999')
    at = datetime(2025, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert read("caddy", text).at == at
    assert caddy(ts="2025-12-31T23:59:59.9999999Z").at == at
    assert caddy(ts="2026-01-01T00:59:59.9999999+01").at == at


def test_caddys_older_address_has_a_port():
    request = {"client_ip": "", "remote_ip": "", "remote_addr": "[2001:db8::9]:4711"}
    assert caddy(request).address == "2001:db8::9"


def test_caddys_agent_is_unknown_only_where_no_header_is_logged():
    assert caddy({"headers": {"Accept": ["*/*"]}}).user_agent == ""
    assert caddy({"headers": {"User-Agent": []}}).user_agent == ""
    assert caddy({"headers": None}).user_agent is None


@pytest.mark.parametrize(
    "entry",
    [
        {"level": "info", "ts": 1.5, "logger": "tls", "msg": "cleaned up"},
        {"level": "info", "ts": 1.5, "msg": "serving initial configuration"},
        {**CADDY, "logger": "http.log.error.log0"},
    ],
)
def test_other_entries_of_caddy_are_no_requests(entry):
    assert reader("caddy").read(json.dumps(entry)) is None


@pytest.mark.parametrize(
    "request_",
    [{"client_ip": "REDACTED", "remote_ip": "REDACTED"}, {"host": "a b"}],
)
def test_caddy_line_without_what_is_needed_is_malformed(request_):
    with pytest.raises(Malformed):
        caddy(request_)


# Traefik


def test_traefik_line_says_everything():
    assert read("traefik-json", json.dumps(TRAEFIK))._replace(identity="") == (
        *("203.0.113.9", datetime(2026, 2, 18, 12, 0, 0, 123_456, tzinfo=UTC)),
        *("GET", "/a?b=1", 200, "", "Firefox", "", "example.com"),
    )


def test_traefiks_agent_is_unknown_where_no_header_is_logged():
    text = without(TRAEFIK, "request_User-Agent")
    assert read("traefik-json", text).user_agent is None
    kept = json.dumps({**json.loads(text), "request_Accept": "*/*"})
    assert read("traefik-json", kept).user_agent == ""


def test_traefiks_address_may_have_a_port():
    text = json.dumps({**TRAEFIK, "ClientHost": "", "ClientAddr": "[2001:db8::9]:1"})
    assert read("traefik-json", text).address == "2001:db8::9"
