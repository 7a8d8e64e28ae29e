"""Formats of one's own, in the words of Apache's LogFormat."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from analytics.ingest.access_log.patterns import BadPattern, compile_pattern
from analytics.ingest.access_log.requests import Malformed
from tests.analytics.ingest.access_log.reader import read
from tests.analytics.ingest.access_log.test_clf import AGENT, COMBINED, COMMON

NOON = datetime(2026, 2, 18, 12, tzinfo=UTC)
COMBINED_PATTERN = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'


def by(pattern, text, zone=UTC):
    return compile_pattern(pattern, zone)(text)


@pytest.mark.parametrize(
    ("pattern", "name", "text"),
    [
        ('%h %l %u %t "%r" %>s %b', "common", COMMON),
        (COMBINED_PATTERN, "combined", COMBINED),
        (COMBINED_PATTERN.replace('"', r"\""), "combined", COMBINED),
        (f"%v:%p {COMBINED_PATTERN}", "vhost-combined", f"a.example:80 {COMBINED}"),
    ],
)
def test_known_formats_can_be_written_as_patterns(pattern, name, text):
    ours = by(pattern, text)._replace(identity="")
    # The port has a word of its own in the pattern.
    known = read(name, text.replace(":80 ", " "))
    assert ours == known._replace(identity="")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("%t %a %m %U%q %s", "[18/Feb/2026:12:00:00 +0000] 203.0.113.9 GET /a?b 200"),
        (
            '%{%Y-%m-%d %H:%M:%S %z}t|%a|"%m %U%q %H"|%>s|%D',
            '2026-02-18 13:00:00 +0100|203.0.113.9|"GET /a?b HTTP/1.1"|200|12',
        ),
        (
            "%{%d/%b/%Y}t %{%T}t %{X-Forwarded-For}i %r2 %s".replace("%r2", '"%r"'),
            '18/Feb/2026 12:00:00 203.0.113.9, 10.0.0.1 "GET /a?b HTTP/1.1" 200',
        ),
        (
            "%{sec}t\\t%{c}a\\t%r\\t%400,501!s\\t%{VARNISH}o",
            "1771416000\t203.0.113.9\tGET /a?b HTTP/1.1\t200\tmiss".replace(
                "GET /a?b HTTP/1.1", "GET"
            ),
        ),
        (
            "%{msec}t %h:%{remote}p %m %U%q %s",
            "1771416000000 203.0.113.9:1 GET /a?b 200",
        ),
        (
            "%{begin:usec}t %h %m %U%q %s %% %^FB %{Foo}^ti",
            "1771416000000000 203.0.113.9 GET /a?b 200 % - bar",
        ),
        (
            "%{%F}t %{%H:%M:%S}t.%{msec_frac}t %h %m %U%q %s",
            "2026-02-18 12:00:00.123 203.0.113.9 GET /a?b 200",
        ),
        (
            "%{%e %b %Y %T}t %h %m %U%q %s",
            "18 Feb 2026 12:00:00 203.0.113.9 GET /a?b 200",
        ),
    ],
)
def test_words_say_who_when_and_what(pattern, text):
    line = by(pattern, text)
    assert (line.address, line.at, line.status) == ("203.0.113.9", NOON, 200)
    assert line.method == "GET"
    assert line.target in ("/a?b", "")


def test_time_without_an_offset_is_the_zones():
    pattern = "%{%Y-%m-%d %H:%M:%S}t %h %m %U %s"
    text = "2026-02-18 13:00:00 203.0.113.9 GET /a 200"
    assert by(pattern, text, ZoneInfo("Europe/Berlin")).at == NOON


@pytest.mark.parametrize(
    ("who", "address"),
    [
        ("203.0.113.9:4711", "203.0.113.9"),
        ("2001:db8::9:4711", "2001:db8::9"),
        ("dsl-1.example:4711", "dsl-1.example"),
    ],
)
def test_port_after_the_client_is_taken_off(who, address):
    line = by("%h:%{remote}p %t %m %U %s", f"{who} [{COMMON[17:43]}] GET /a 200")
    assert line.address == address


def test_first_of_two_clients_is_taken():
    text = "198.51.100.7 203.0.113.9 [18/Feb/2026:12:00:00 +0000] GET /a 200"
    for pattern in ("%{X-Forwarded-For}i %h", "%h %{X-Forwarded-For}i"):
        assert by(f"{pattern} %t %m %U %s", text).address == "198.51.100.7"


def test_question_mark_that_apache_decoded_begins_no_query():
    text = '203.0.113.9 [18/Feb/2026:12:00:00 +0000] "GET" "/a?b#c" 200'
    assert by('%h %t "%m" "%U" %s', text).target == "/a%3Fb%23c"


def test_agent_is_unknown_without_its_word_and_empty_without_a_value():
    assert by('%h %l %u %t "%r" %>s %b', COMMON).user_agent is None
    assert by(COMBINED_PATTERN, COMBINED.replace(AGENT, "-")).user_agent == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        COMMON,
        f"Feb 18 12:00:00 web1 nginx: {COMBINED}",
        f"example.com {COMBINED}",
        COMBINED + " x",
        COMBINED[:-1],
        COMBINED.replace(AGENT, 'a" b'),
        COMBINED.replace(AGENT, 'a" "b'),
        COMBINED.replace("- -", "- john smith"),
        COMBINED.replace("203.0.113.9", "-"),
        COMBINED.replace("203.0.113.9", "a/b"),
        COMBINED.replace("200", "20"),
        COMBINED.replace("17/May", "31/Feb"),
    ],
)
def test_line_that_does_not_fit_the_pattern_is_malformed(text):
    with pytest.raises(Malformed):
        by(COMBINED_PATTERN, text)


@pytest.mark.parametrize(
    ("date", "is_time"),
    [("18 Feb 2026", True), ("18 Xyz 2026", False), ("31 Feb 2026", False)],
)
def test_date_of_a_pattern_must_exist(date, is_time):
    text = f"{date} 12:00:00 203.0.113.9 GET /a 200"
    pattern = "%{%d %b %Y %T}t %h %m %U %s"
    if is_time:
        assert by(pattern, text).at == NOON
    else:
        with pytest.raises(Malformed, match="no such time"):
            by(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "lacks the client"),
        ("combined", "lacks the client"),
        ('%t "%r" %s', "lacks the client (%h, %a, %{X-Forwarded-For}i)."),
        ('%h "%r" %s', "lacks the time (%t)."),
        ('%h %t "%r"', "lacks the status (%>s)."),
        ("%h %t %m %s", "lacks the request (%r, or %m and %U%q)."),
        ("%h %{%H:%M}t %r %s", "lacks the time"),
        ("%h %t %r %s %Z", "an unknown word, %Z."),
        ("%h %t %r %s %", "an unknown word"),
        ("%h %t %r %s %{a", "an unknown word"),
        ("%h%l %t %r %s", "two words with nothing between them"),
        ("%h %{%c}t %r %s", "a time that is not read, %c"),
        ("%h " * 1_000, "more than 2,048 characters"),
    ],
)
def test_pattern_that_cannot_be_read_by_says_why(pattern, message):
    with pytest.raises(BadPattern) as error:
        compile_pattern(pattern, UTC)
    assert message in str(error.value)
