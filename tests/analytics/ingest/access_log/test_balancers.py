"""Lines of Amazon's balancers and S3, and of HAProxy."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from analytics.ingest.access_log.requests import Malformed
from tests.analytics.ingest.access_log.reader import is_malformed, read

ELB = (
    "2026-02-18T12:00:00.5Z my-balancer 203.0.113.9:2817 10.0.0.5:80 0.000073 0.001048"
    ' 0.000057 200 200 0 29 "GET http://www.example.com:80/a?b=1 HTTP/1.1" "Firefox"'
    " ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2"
)
ALB = (
    f"h2 {ELB} arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/a/73e2"
    ' "Root=1-58337281-1d84f3d73c47ec4e58577259" "www.example.com" "arn:aws:acm" 1'
    ' 2026-02-18T12:00:00.364000Z "waf,forward" "-" "-" "10.0.0.5:80" "200" "-" "-"'
)
S3 = (
    "79a59df900b949e5 www-bucket [18/Feb/2026:12:00:00 +0000] 203.0.113.9 - 3E57427F"
    ' WEBSITE.GET.OBJECT a.html "GET /a?b=1 HTTP/1.1" 200 - 113 113 7 6'
    ' "https://a.example/" "Firefox" - s9lzHYrFp76ZVxRcpX9= - ECDHE-RSA-AES128 -'
    " example.com TLSV1.2 - -"
)
HAPROXY = (
    "203.0.113.9:33317 [18/Feb/2026:12:00:00.500] https-in~ shop/srv1 10/0/30/69/109"
    ' 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "GET /a?b=1 HTTP/1.1"'
)
AT = datetime(2026, 2, 18, 12, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(("name", "text"), [("alb", ALB), ("elb", ELB)])
def test_line_of_a_balancer_says_everything_but_the_referrer(name, text):
    assert read(name, text)._replace(identity="") == (
        *("203.0.113.9", AT, "GET", "http://www.example.com:80/a?b=1", 200),
        *("", "Firefox", "", ""),
    )


@pytest.mark.parametrize(
    ("who", "address"),
    [
        ("[2001:db8::9]:2817", "2001:db8::9"),
        ("2001:db8::9:2817", "2001:db8::9"),
        ("::ffff:203.0.113.9:2817", "::ffff:203.0.113.9"),
    ],
)
@pytest.mark.parametrize(
    ("name", "text"), [("alb", ALB), ("elb", ELB), ("haproxy", HAPROXY)]
)
def test_port_of_an_ipv6_address_is_taken_off(name, text, who, address):
    _, port, rest = text.partition(":2817" if name != "haproxy" else ":33317")
    text = text.replace(f"203.0.113.9{port}", who)
    assert rest in text
    assert read(name, text).address == address


def test_old_line_of_a_classic_balancer_has_no_agent():
    assert read("elb", ELB[: ELB.index(' "Firefox')]).user_agent is None


@pytest.mark.parametrize("later", ["", " TID_1234", ' TID_1234 "a b" - "-"'])
def test_later_fields_of_a_balancer_are_passed_over(later):
    assert read("alb", ALB + later).user_agent == "Firefox"


def test_requests_that_never_reached_a_target_are_read():
    for name, text in (("alb", ALB), ("elb", ELB)):
        text = text.replace("10.0.0.5:80 0.000073 0.001048 0.000057", "- -1 -1 -1")
        text = text.replace(" 200 200 0 ", " 460 - 0 ")
        assert read(name, text).status == 460
        assert read(name, text.replace(" 460 ", " - ")).status == 0
        text = text.replace(
            '"GET http://www.example.com:80/a?b=1 HTTP/1.1"',
            '"- http://www.example.com:80- -"',
        )
        assert read(name, text).method == "-"


@pytest.mark.parametrize("agent", [r"\"a\" b", r"\x22a\x22", "-", ""])
@pytest.mark.parametrize(("name", "text"), [("alb", ALB), ("elb", ELB)])
def test_agent_with_escaped_quotes_is_read(name, text, agent):
    line = read(name, text.replace("Firefox", agent))
    assert line.user_agent == ("" if agent == "-" else agent)


@pytest.mark.parametrize(("name", "text"), [("alb", ALB), ("elb", ELB), ("s3", S3)])
@pytest.mark.parametrize("agent", ['a" b', '"a" b', 'a" "b', 'a" - - b"', "a\\"])
def test_agent_with_bare_quotes_is_malformed(name, text, agent):
    assert is_malformed(name, text.replace("Firefox", agent))


# Cut within the last word, it says the same and no less.
@pytest.mark.parametrize("cut", range(5, ALB.index("arn:aws:acm"), 9))
def test_line_of_a_balancer_that_was_cut_is_malformed(cut):
    assert is_malformed("alb", ALB[:cut])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("alb", ELB),
        ("elb", ALB),
        ("alb", f"tcp {ELB}"),
        ("alb", ALB.replace("203.0.113.9:2817", "203.0.113.9")),
        ("alb", ALB.replace("203.0.113.9:2817", "-")),
        ("alb", ALB.replace("2026-02-18T12:00:00.5Z", "2026-02-18")),
        ("alb", ALB + ' "'),
        ("elb", ELB + " x"),
        ("s3", S3.replace("203.0.113.9", "-")),
        ("s3", S3.replace("[18/Feb/2026:12:00:00 +0000]", "[2026-02-18]")),
        ("s3", S3.replace(" 200 ", " 2000 ")),
        ("s3", S3.replace("example.com", "a/b")),
        ("haproxy", HAPROXY.replace("203.0.113.9:33317", "unix:1")),
        ("haproxy", HAPROXY.replace("18/Feb", "31/Feb")),
        ("haproxy", HAPROXY.replace(".500]", "]")),
        ("haproxy", HAPROXY[:-1]),
        ("haproxy", HAPROXY.replace("/a", '/"a')),
        ("haproxy", HAPROXY + " x"),
        ("haproxy", HAPROXY.replace("10/0/30/69/109", "10/0/30")),
        *((name, "" * 60_000) for name in ("alb", "elb", "s3", "haproxy")),
        *((name, "- " * 30_000) for name in ("alb", "elb", "s3", "haproxy")),
        *((name, '"' * 60_000) for name in ("alb", "elb", "s3", "haproxy")),
        *((name, "{1} " * 15_000) for name in ("alb", "elb", "s3", "haproxy")),
        *((name, "1/" * 30_000) for name in ("alb", "elb", "s3", "haproxy")),
        ("alb", ALB + " x" * 30_000 + '"'),
        ("s3", S3 + " x" * 30_000 + '"'),
        ("alb", ALB + ' "\\"' * 15_000),
    ],
)
def test_line_that_is_not_quite_right_is_malformed(name, text):
    assert is_malformed(name, text)


# S3


def test_line_of_s3_says_everything():
    assert read("s3", S3)._replace(identity="") == (
        *("203.0.113.9", AT.replace(microsecond=0), "GET", "/a?b=1", 200),
        *("https://a.example/", "Firefox", "", "example.com"),
    )


def test_old_line_of_s3_ends_with_the_version():
    line = read("s3", S3[: S3.index(" s9lz")])
    assert (line.host, line.user_agent) == ("", "Firefox")


@pytest.mark.parametrize(
    ("host", "target", "url"),
    [
        ("www-bucket.s3-website-us-west-2.amazonaws.com", "/a", "/a"),
        ("www-bucket.s3.us-west-1.amazonaws.com", "/a", "/a"),
        ("s3.us-west-1.amazonaws.com", "/www-bucket/a", "/a"),
        ("s3.amazonaws.com", "/www-bucket/a", "/a"),
        ("www.example.com", "/www-bucket/a", "http://www.example.com/www-bucket/a"),
        ("-", "/a", "/a"),
    ],
)
def test_buckets_own_names_are_no_hosts(host, target, url):
    text = S3.replace("example.com TLS", f"{host} TLS").replace("/a?b=1", target)
    assert read("s3", text).url == url


@pytest.mark.parametrize(
    ("operation", "method"),
    [
        ("REST.GET.OBJECT", "GET"),
        ("REST.GET.VERSIONING", "REST.GET.VERSIONING"),
        ("REST.GET.BUCKET", "REST.GET.BUCKET"),
    ],
)
def test_only_objects_are_asked_for_as_pages(operation, method):
    assert read("s3", S3.replace("WEBSITE.GET.OBJECT", operation)).method == method


def test_absent_fields_of_s3_are_read():
    text = S3.replace('"GET /a?b=1 HTTP/1.1" 200', "- -")
    text = text.replace('"https://a.example/" "Firefox"', '"-" "-"')
    line = read("s3", text)
    assert (line.status, line.referrer, line.user_agent) == (0, "", "")


# HAProxy


def test_line_of_haproxy_says_nothing_of_the_agent():
    assert read("haproxy", HAPROXY)._replace(identity="") == (
        *("203.0.113.9", AT, "GET", "/a?b=1", 200, "", None, "", ""),
    )


def test_time_of_haproxy_is_the_servers():
    line = read("haproxy", HAPROXY.replace(":12:00", ":13:00"), ZoneInfo("Europe/Oslo"))
    assert line.at == AT


@pytest.mark.parametrize(
    ("changed", "by", "field", "value"),
    [
        ("{1wt.eu} {} ", "", "target", "/a?b=1"),
        ("200 2750", "-1 +0", "status", 0),
        ('HTTP/1.1"', 'HTTP/1.1" 0/0/0/0/1 a.example/TLSv1.3/TLS_AES', "status", 200),
        ("109 200", "+109 200", "status", 200),
        ("/a?b=1", "https://example.com/a", "target", "https://example.com/a"),
        ("/a?b=1", "/#22#C3#A9#23", "target", "/%22%C3%A9#"),
        ("/a?b=1", "/\\x41", "target", "/%5Cx41"),
        ("GET /a?b=1 HTTP/1.1", "<BADREQ>", "method", "<BADREQ>"),
    ],
)
def test_variants_of_haproxys_line_are_read(changed, by, field, value):
    assert getattr(read("haproxy", HAPROXY.replace(changed, by)), field) == value


@pytest.mark.parametrize(
    ("name", "text", "changed", "by"),
    [
        ("alb", ALB, ".5Z", ".6Z"),
        ("elb", ELB, "my-balancer", "other"),
        ("s3", S3, "3E57427F", "4E57427F"),
        ("haproxy", HAPROXY, ".500]", ".501]"),
    ],
)
def test_identity_tells_requests_apart_but_not_whose_they_are(name, text, changed, by):
    identity = read(name, text).identity
    assert identity != read(name, text.replace(changed, by)).identity
    assert "203.0.113.9" not in identity
    assert "Firefox" not in identity


def test_reason_names_an_open_quote():
    with pytest.raises(Malformed, match="a quote is never closed"):
        read("alb", ALB + ' "')
