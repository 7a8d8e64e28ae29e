"""Common, combined, vhost and Traefik lines: what they say, which are page views."""

from datetime import UTC, datetime

import pytest

from analytics.ingest.access_log.formats import MAX_LINE
from analytics.ingest.access_log.page_views import why_no_page
from analytics.ingest.access_log.requests import Line, Malformed
from tests.analytics.ingest.access_log.reader import read

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
COMMON = '203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 512'
COMBINED = f'{COMMON} "https://search.example/?q=a" "{AGENT}"'


def line(
    request: str = "GET /a HTTP/1.1", status: int = 200, time: str | None = None
) -> Line:
    time = time or "17/May/2015:10:05:03 +0000"
    return read(
        "combined",
        f'203.0.113.9 - - [{time}] "{request}" {status} 512 "-" "{AGENT}"',
    )


def test_combined_line_says_everything():
    parsed = read("combined", COMBINED + "\r\n")
    assert parsed._replace(identity="") == Line(
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
    parsed = read("common", COMMON)
    assert parsed.user_agent is None
    assert parsed.referrer == ""


def test_absent_user_agent_of_combined_line_is_empty():
    assert read("combined", f'{COMMON} "-" "-"').user_agent == ""


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
    assert read("combined", text).target == "/a"


def test_identity_leaves_out_whose_the_request_was():
    identity = read("combined", COMBINED).identity
    assert "203.0.113.9" not in identity
    assert AGENT not in identity
    assert "[" not in identity


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not in the format of the log"),
        ("hello", "not in the format of the log"),
        (COMMON, "not in the format of the log"),
        (COMMON + " x", "not in the format of the log"),
        (COMMON.replace("200", "20"), "not in the format of the log"),
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
        read("combined", text)
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
        (r"GET /\x22\x3C\x20\x5C HTTP/1.1", "/%22%3C%20%5C"),
        ("GET /<a>'b' HTTP/1.1", "/%3Ca%3E'b'"),
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
        ("GET example.com:443 HTTP/1.1", 200, "no path"),
        ("GET ftp://example.com/ HTTP/1.1", 200, "no path"),
        ("GET http:///a HTTP/1.1", 200, "no path"),
        ("GET", 200, "no path"),
        ("GET  HTTP/1.1", 200, "no path"),
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
    assert why_no_page(line(request_line, status)) == reason


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
        read("combined", text)


# Whose line it is


@pytest.mark.parametrize(
    ("who", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:51234", "203.0.113.9"),
        ("2001:db8::9", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("[2001:db8::9]:51234", "2001:db8::9"),
        ("::ffff:203.0.113.9:51234", "::ffff:203.0.113.9"),
        ("203.0.113.9, 10.0.0.1", "203.0.113.9"),
        ("203.0.113.9,10.0.0.1,10.0.0.2", "203.0.113.9"),
        ("unknown, 203.0.113.9:80, 10.0.0.1", "203.0.113.9"),
        ("localhost", "localhost"),
    ],
)
def test_client_is_read_with_a_port_or_from_a_list(who, address):
    assert read("combined", COMBINED.replace("203.0.113.9", who)).address == address


@pytest.mark.parametrize(
    "who", ["-", "unix:", "unknown, -", "203.0.113.999:80", "a:b", ",", "_"]
)
def test_line_without_a_client_is_malformed(who):
    with pytest.raises(Malformed):
        read("combined", COMBINED.replace("203.0.113.9", who))


@pytest.mark.parametrize(
    "text",
    [
        # Each of these heads would pass for a client, an identity and a user.
        f"example.com {COMBINED}",
        f"example.com:443 {COMBINED}",
        f"192.0.2.1 {COMBINED}",
        f"Feb 18 12:00:00 web1 nginx: {COMBINED}",
        f"<190>Feb 18 12:00:00 web1 nginx: {COMBINED}",
        f"2026-02-18T12:00:00.123Z {COMBINED}",
        f"web-1  | {COMBINED}",
        f"web-1 | {COMBINED}",
        f"203.0.113.1 - {COMBINED}",
        f"- - - {COMBINED}",
    ],
)
@pytest.mark.parametrize(
    ("name", "cut", "appended"),
    [
        ("common", len(COMBINED) - len(COMMON), ""),
        ("combined", 0, ""),
        ("traefik", 0, ' 1 "a" "b" 3ms'),
    ],
)
def test_line_with_something_before_the_client_is_malformed(name, cut, appended, text):
    with pytest.raises(Malformed):
        read(name, text[: len(text) - cut] + appended)


@pytest.mark.parametrize(
    ("user", "is_read"),
    [
        ("frank", True),
        ("frank the tank", True),
        ('""', True),
        # What a visitor sends as a user's name may look like the rest of a line.
        ("x [17/May/2015:10:05:03 +0000]", False),
        (r"x [17/May/2015:10:05:03 +0000] \x22GET /b HTTP/1.1\x22 200 5", False),
        (r"x [17/May/2015:10:05:03 +0000] \"GET /b HTTP/1.1\" 200 5", False),
    ],
)
def test_user_cannot_pass_for_the_rest_of_the_line(user, is_read):
    text = COMBINED.replace("- -", f"- {user}")
    if is_read:
        assert read("combined", text).target == "/a"
    else:
        with pytest.raises(Malformed):
            read("combined", text)


@pytest.mark.parametrize(
    "agent",
    [
        'Mozilla "quoted" Firefox',
        'x" y',
        'x" "y',
        'a" b "c" d"',
    ],
)
def test_unescaped_quote_in_the_user_agent_is_no_appended_field(agent):
    """But for `x" "y`, which is what an appended field looks like."""
    text = COMBINED.replace(AGENT, agent)
    if agent == 'x" "y':
        assert read("combined", text).user_agent == "x"
    else:
        with pytest.raises(Malformed):
            read("combined", text)


@pytest.mark.parametrize(
    "appended",
    [
        '"198.51.100.7" 0.003',
        "- 0.003 . -",
        'rt=0.003 uct="0.001" uht="-" urt=-',
        'host:"example.com" [0.1] {"a"}',
        r'"a \"quoted\" text" (x)',
    ],
)
def test_appended_fields_are_passed_over(appended):
    assert read("combined", f"{COMBINED} {appended}").user_agent == AGENT


def test_long_line_is_malformed_also_where_its_start_could_be_read():
    text = f"{COMBINED} {'x ' * MAX_LINE}"
    assert read("combined", text[: MAX_LINE - 1]).target == "/a"
    with pytest.raises(Malformed, match="65,536 bytes or longer"):
        read("combined", text[:MAX_LINE])


# vhost


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("example.com", "http://example.com/a"),
        ("example.com:443", "http://example.com:443/a"),
        ("WWW.Example.com.", "http://WWW.Example.com./a"),
        ("[2001:db8::1]:80", "http://[2001:db8::1]:80/a"),
        ("192.0.2.1", "http://192.0.2.1/a"),
        ("_", "/a"),
        ("-", "/a"),
    ],
)
def test_vhost_line_says_the_host(host, url):
    assert read("vhost-combined", f"{host} {COMBINED}").url == url
    assert read("vhost-common", f"{host} {COMMON}").url == url


@pytest.mark.parametrize("host", ["example.com/b", "a@b", "a b", 'x"y', "a:b:c", "é"])
def test_vhost_that_is_no_host_is_malformed(host):
    with pytest.raises(Malformed):
        read("vhost-combined", f"{host} {COMBINED}")


def test_address_in_the_request_wins_over_the_vhost():
    text = COMBINED.replace("GET /a", "GET http://other.example/b")
    assert read("vhost-combined", f"example.com {text}").url == "http://other.example/b"


def test_vhost_is_part_of_what_tells_requests_apart():
    one, other = (
        read("vhost-combined", f"{host} {COMBINED}").identity
        for host in ("a.example", "b.example")
    )
    assert one != other


@pytest.mark.parametrize("cut", [*range(20, len(COMBINED), 7)])
def test_combined_line_that_was_cut_is_malformed(cut):
    with pytest.raises(Malformed):
        read("combined", COMBINED[:cut])


# Traefik


def test_traefik_line_is_read():
    parsed = read("traefik", f'{COMBINED} 17 "web@docker" "http://10.0.0.5:80" 12ms')
    assert (parsed.user_agent, parsed.target) == (AGENT, "/a")


@pytest.mark.parametrize(
    "appended", ["", " 17", ' 17 "a" "b"', ' 17 "a" "b" 12', ' x "a" "b" 12ms']
)
def test_traefik_line_needs_all_that_traefik_appends(appended):
    with pytest.raises(Malformed):
        read("traefik", COMBINED + appended)
