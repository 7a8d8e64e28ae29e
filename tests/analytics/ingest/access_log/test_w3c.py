"""The W3C's extended format, of IIS and of CloudFront."""

from datetime import UTC, datetime

import pytest

from analytics.ingest.access_log.requests import Malformed
from tests.analytics.ingest.access_log.reader import reader

IIS = (
    "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username"
    " c-ip cs(User-Agent) cs(Referer) cs-host sc-status sc-bytes time-taken"
)
LINE = (
    "2026-02-18 12:00:00 10.0.0.5 GET /a b=1 443 - 203.0.113.9 Mozilla/5.0+(X11)"
    " https://a.example/ example.com 200 512 12"
)
CLOUDFRONT = (
    "#Fields: date time x-edge-location c-ip cs-method cs(Host) cs-uri-stem sc-status"
    " cs(Referer) cs(User-Agent) cs-uri-query x-edge-request-id x-host-header"
)
TABS = "\t".join(
    (
        *("2026-02-18", "12:00:00", "FRA50-C1", "203.0.113.9", "GET"),
        *("d111.cloudfront.net", "/a", "200", "-", "Mozilla/5.0%20(X11)", "b=1"),
        *("EXAMPLE==", "example.com"),
    )
)


def read(*lines):
    """The last of a log's lines."""
    read_line = reader("w3c").read
    for line in lines[:-1]:
        assert read_line(line) is None
    last = read_line(lines[-1])
    assert last is not None
    return last


def test_line_of_iis_says_everything():
    assert read("#Software: IIS", IIS, f"{LINE}\r\n")._replace(identity="") == (
        *("203.0.113.9", datetime(2026, 2, 18, 12, tzinfo=UTC), "GET", "/a?b=1", 200),
        *("https://a.example/", "Mozilla/5.0 (X11)", "", "example.com"),
    )


def test_line_of_cloudfront_says_everything():
    assert read(CLOUDFRONT, TABS)._replace(identity="") == (
        *("203.0.113.9", datetime(2026, 2, 18, 12, tzinfo=UTC), "GET", "/a?b=1", 200),
        *("", "Mozilla/5.0 (X11)", "", "example.com"),
    )


def test_agent_that_cloudfront_encoded_twice_is_read():
    assert read(CLOUDFRONT, TABS.replace("%20", "%2520")).user_agent == (
        "Mozilla/5.0 (X11)"
    )


@pytest.mark.parametrize("fields", [IIS, CLOUDFRONT])
def test_agent_that_is_no_text_is_read(fields):
    text = LINE if fields is IIS else TABS
    agent = read(fields, text.replace("X11", "X\xe9")).user_agent
    assert agent == "Mozilla/5.0 (X\xe9)"


def test_fields_may_change_within_a_file():
    read_line = reader("w3c").read
    for text in (IIS, LINE, "#Date: 2026-02-19 00:00:00"):
        read_line(text)
    assert read_line("#Fields: date time c-ip cs-method cs-uri-stem sc-status") is None
    line = read_line("2026-02-19 00:00:01 2001:db8::9 GET /b 200")
    assert line is not None
    assert (line.address, line.target, line.user_agent) == ("2001:db8::9", "/b", None)
    with pytest.raises(Malformed, match="another number of fields"):
        read_line(LINE)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((LINE,), "no #Fields directive before it"),
        (("",), "no #Fields directive before it"),
        ((IIS, ""), "another number of fields"),
        ((IIS, LINE[:-3]), "another number of fields"),
        ((IIS, f"{LINE} x"), "another number of fields"),
        ((IIS, LINE.replace("+", " ")), "another number of fields"),
        ((IIS, TABS), "another number of fields"),
        ((CLOUDFRONT, LINE), "another number of fields"),
        ((IIS.replace(" c-ip", ""), LINE.replace(" 443", "")), "lacks one that is"),
        ((IIS.replace("#Fields: date", "#Fields: day"), LINE), "lacks one that is"),
        ((IIS, LINE.replace("203.0.113.9", "-")), "no address of a client"),
        ((IIS, LINE.replace("12:00:00", "25:00:00")), "no such time"),
        ((IIS, LINE.replace(" 200 ", " 000x ")), "no such status"),
        ((IIS, LINE.replace("example.com", "a/b")), "no such host"),
        (("#", LINE), "no directive"),
        (("# a comment", LINE), "no directive"),
        ((IIS, "\0"), "a null character"),
        (("#Fields: " + "a " * 30_000, "x " * 30_000), "another number of fields"),
    ],
)
def test_line_that_does_not_fit_its_fields_is_malformed(lines, reason):
    with pytest.raises(Malformed, match=reason):
        read(*lines)


def test_a_path_that_was_not_encoded_is():
    line = read(IIS, LINE.replace("/a", '/caf\xc3\xa9"'))
    assert line.target == "/caf%C3%A9%22?b=1"
