"""Lines of access logs: what they say, and which are page views."""

import io
from datetime import UTC, datetime

import pytest

from analytics.ingest import access_log
from analytics.ingest.access_log import Malformed

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
COMMON = '203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 512'
COMBINED = f'{COMMON} "https://search.example/?q=a" "{AGENT}"'


def line(
    request: str = "GET /a HTTP/1.1", status: int = 200, time: str | None = None
) -> access_log.Line:
    time = time or "17/May/2015:10:05:03 +0000"
    return access_log.parse(
        f'203.0.113.9 - - [{time}] "{request}" {status} 512 "-" "{AGENT}"'
    )


def test_combined_line_says_everything():
    parsed = access_log.parse(COMBINED + "\r\n")
    assert parsed._replace(identity="") == access_log.Line(
        address="203.0.113.9",
        at=datetime(2015, 5, 17, 10, 5, 3, tzinfo=UTC),
        method="GET",
        target="/a",
        status=200,
        referrer="https://search.example/?q=a",
        user_agent=AGENT,
        identity="",
    )


def test_common_line_says_nothing_of_the_user_agent():
    parsed = access_log.parse(COMMON)
    assert parsed.user_agent is None
    assert parsed.referrer == ""


def test_absent_user_agent_of_combined_line_is_empty():
    assert access_log.parse(f'{COMMON} "-" "-"').user_agent == ""


@pytest.mark.parametrize(
    "text",
    [
        f'{COMBINED} "198.51.100.7" 0.003',
        COMBINED.replace("- -", 'frank "the tank"'),
        COMBINED.replace("203.0.113.9", "2001:db8::1"),
        COMBINED.replace("203.0.113.9", "dsl-1.example"),
        COMBINED.replace("200 512", "304 -"),
        COMBINED.replace("Firefox", r"\"Fire\\fox\""),
        COMBINED.replace("Firefox", "F\xefref\xf8x"),
    ],
)
def test_variants_of_the_format_are_read(text):
    assert access_log.parse(text).target == "/a"


def test_identity_leaves_out_whose_the_request_was():
    identity = access_log.parse(COMBINED).identity
    assert "203.0.113.9" not in identity
    assert AGENT not in identity
    assert "[" not in identity


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "neither the common nor the combined format"),
        ("hello", "neither the common nor the combined format"),
        (COMMON + " x", "neither the common nor the combined format"),
        (COMMON.replace("200", "20"), "neither the common nor the combined format"),
        (COMBINED[:-1], "a quote is never closed"),
        (COMBINED[:-1] + r"\"", "a quote is never closed"),
        (COMBINED.replace("/a", "/\0"), "a null character"),
        (COMBINED.replace("17/May", "31/Feb"), "no such time"),
        (COMBINED.replace("17/May", "17/Mai"), "no such time"),
        (COMBINED.replace("17/May", "17/Anf"), "no such time"),
        (COMBINED.replace("+0000", "UTC"), "no such time"),
    ],
)
def test_malformed_line_names_the_reason_only(text, reason):
    with pytest.raises(Malformed) as error:
        access_log.parse(text)
    assert str(error.value) == reason


@pytest.mark.parametrize(
    "time", ["31/Dec/9999:23:59:59 -0100", "01/Jan/0001:00:00:00 +0100"]
)
def test_time_at_the_edge_of_the_calendar_is_malformed(time):
    with pytest.raises(Malformed, match="no such time"):
        line(time=time)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("17/May/2015:10:05:03 +0000", datetime(2015, 5, 17, 10, 5, 3, tzinfo=UTC)),
        ("17/May/2015:00:05:03 +0530", datetime(2015, 5, 16, 18, 35, 3, tzinfo=UTC)),
        ("31/Dec/2015:23:59:59 -0100", datetime(2016, 1, 1, 0, 59, 59, tzinfo=UTC)),
    ],
)
def test_offset_of_the_time_is_honoured(time, expected):
    assert line(time=time).at == expected


@pytest.mark.parametrize(
    ("request_line", "target"),
    [
        ("GET /a?b=1#c HTTP/1.1", "/a?b=1#c"),
        ("GET /a", "/a"),
        ("GET /a b HTTP/1.1", "/a%20b"),
        ("GET http://example.com/a HTTP/1.1", "http://example.com/a"),
        ("GET /caf%C3%A9 HTTP/1.1", "/caf%C3%A9"),
        (r"GET /caf\xc3\xa9 HTTP/1.1", "/caf%C3%A9"),
        ("GET /caf\xc3\xa9 HTTP/1.1", "/caf%C3%A9"),
        (r"GET /\x41\"\\ HTTP/1.1", "/A%22%5C"),
        (r"GET /a\tb\z HTTP/1.1", "/a%09b%5Cz"),
        ("-", ""),
        ("", ""),
    ],
)
def test_target_is_as_the_address_bar_would_show_it(request_line, target):
    assert line(request_line).target == target


@pytest.mark.parametrize(
    ("request_line", "status", "reason"),
    [
        ("GET / HTTP/1.1", 200, None),
        ("GET /a HTTP/1.1", 304, None),
        ("GET /blog/v1.2 HTTP/1.1", 200, None),
        ("GET /a.html?x=y.png HTTP/1.1", 200, None),
        ("GET /png HTTP/1.1", 200, None),
        ("GET /files.zip/ HTTP/1.1", 200, None),
        ("GET /feeding HTTP/1.1", 200, None),
        ("GET /a?source=rss20 HTTP/1.1", 200, None),
        ("GET http://example.com HTTP/1.1", 200, None),
        (f"GET /{'a' * 1023} HTTP/1.1", 200, None),
        (f"GET /a?{'b' * 3000} HTTP/1.1", 200, None),
        ("POST / HTTP/1.1", 200, "not GET"),
        ("get / HTTP/1.1", 200, "not GET"),
        (r"\x16\x03\x01", 400, "not GET"),
        ("-", 408, "not GET"),
        ("GET / HTTP/1.1", 301, "status"),
        ("GET / HTTP/1.1", 404, "status"),
        ("GET /logo.PNG?v=3 HTTP/1.1", 200, "asset"),
        ("GET /favicon.ico HTTP/1.1", 304, "asset"),
        ("GET /robots.txt HTTP/1.1", 200, "asset"),
        ("GET /.css HTTP/1.1", 200, "asset"),
        ("GET /feed/ HTTP/1.1", 200, "feed"),
        ("GET /blog/atom HTTP/1.1", 200, "feed"),
        ("GET /blog/?page=1&flav=rss20 HTTP/1.1", 200, "feed"),
        (f"GET /{'a' * 1024} HTTP/1.1", 200, "too long"),
    ],
)
def test_reason_why_a_request_is_no_page_view(request_line, status, reason):
    assert access_log.why_no_page(line(request_line, status)) == reason


def test_over_long_line_is_cut_and_the_next_one_read_whole():
    log = b"x" * 200_000 + b"\nsecond\nthird"
    first, *others = access_log.lines(io.BytesIO(log))
    assert len(first) == 1 << 16
    assert others == ["second\n", "third"]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 60_000,
        '"' * 60_000,
        "\\" * 60_000,
        COMMON + ' "' + "\\x" * 30_000,
        "a - - [" + "]" * 60_000,
    ],
)
def test_hostile_line_costs_no_more_than_its_length(text):
    with pytest.raises(Malformed):
        access_log.parse(text)
