"""What is said of a rule that cannot match, or hardly will. Without a database."""

import pytest

from goals.drafts.hints import hints, perl_hints
from goals.matching import Rule, check_pattern


def certain(rule):
    return {hint.code: hint.corrected for hint in hints(rule) if hint.is_certain}


def page(value, match_type="exact"):
    return Rule("pageview", match_type, value)


@pytest.mark.parametrize(
    ("rule", "codes", "corrected"),
    [
        (page("pricing"), ["no_leading_slash"], page("/pricing")),
        (page("https://shop.example/pricing"), ["full_url"], page("/pricing")),
        (page("HTTP://shop.example"), ["full_url"], page("/")),
        (page("//shop.example/pricing"), ["full_url"], page("/pricing")),
        (page("shop.example/pricing"), ["full_url"], page("/pricing")),
        (page("www.shop.example:8080/a"), ["full_url"], page("/a")),
        (page("/pricing?plan=pro"), ["query"], page("/pricing")),
        (page("/pricing#faq"), ["fragment"], page("/pricing")),
        (
            page(" https://a.example/b?c#d "),
            ["spaces", "full_url", "query", "fragment"],
            page("/b"),
        ),
        (page("/pricing "), ["spaces"], page("/pricing")),
        (page("localhost:8000/a"), ["full_url"], page("/a")),
        (page("www.shop.example"), ["full_url"], page("/")),
        (page("shop.example?a=b"), ["full_url", "query"], page("/")),
        (page("/cafe\u0301"), ["not_encoded"], page("/caf%C3%A9")),
        (page("^ /a", "regex"), ["spaces"], page("^/a", "regex")),
        (page("/a $", "regex"), ["spaces"], page("/a$", "regex")),
        (page("/a b$", "regex"), ["not_encoded"], page("/a%20b$", "regex")),
        (page("/é+$", "regex"), ["not_encoded"], page("/(?:%C3%A9)+$", "regex")),
        (page(r"shop\.example/a", "regex"), ["full_url"], page("/a", "regex")),
        (page(r"^shop.example\/a", "regex"), ["full_url"], page(r"^\/a", "regex")),
        (page("/blog/*"), ["wildcard"], page("^/blog/", "regex")),
        (page("/*/buy"), ["wildcard"], page("^/.*/buy$", "regex")),
        (page("*.pdf"), ["wildcard"], page(r"\.pdf$", "regex")),
        (page("/a.b/*/c"), ["wildcard"], page(r"^/a\.b/.*/c$", "regex")),
        (page("/café"), ["not_encoded"], page("/caf%C3%A9")),
        (page("/a b"), ["not_encoded"], page("/a%20b")),
        (page("/日本"), ["not_encoded"], page("/%E6%97%A5%E6%9C%AC")),
        (page("/caf%c3%a9"), ["hex_in_small_letters"], page("/caf%C3%A9")),
        (
            page("https://shop.example/a?b", "contains"),
            ["full_url", "query"],
            page("/a", "contains"),
        ),
        (page("?utm_source=x", "contains"), ["query"], None),
        (page("blog/*", "contains"), ["wildcard"], page("blog/.*", "regex")),
        (page("é", "contains"), ["not_encoded"], page("%C3%A9", "contains")),
        (page("^pricing$", "regex"), ["no_leading_slash"], page("^/pricing$", "regex")),
        (
            page("^https://shop.example/a$", "regex"),
            ["full_url"],
            page("^/a$", "regex"),
        ),
        (
            page(r"^https?:\/\/shop\.example\/a", "regex"),
            ["full_url"],
            page(r"^\/a", "regex"),
        ),
        (
            page(r"/^\/blog\/\d+$/i", "regex"),
            ["javascript_literal"],
            page(r"(?i)^/blog/\d+$", "regex"),
        ),
        (page("^/blog/"), ["pattern"], page("^/blog/", "regex")),
        (page(r"/blog/\d+"), ["pattern"], page(r"/blog/\d+", "regex")),
        (page("/blog/.*"), ["pattern"], page("/blog/.*", "regex")),
        (page("/a|/b", "contains"), ["pattern"], page("/a|/b", "regex")),
        (page(r"\/pricing$"), ["pattern"], page(r"\/pricing$", "regex")),
        (
            page("^https://shop.example/é$"),
            ["pattern", "full_url", "not_encoded"],
            page("^/%C3%A9$", "regex"),
        ),
        (
            Rule("event", "contains", r"^step-\d"),
            ["pattern"],
            Rule("event", "regex", r"^step-\d"),
        ),
        (
            page("/caf[éè]/", "regex"),
            ["not_encoded"],
            page("/caf(?:%C3%A9|%C3%A8)/", "regex"),
        ),
        (page("/caf[à-ü]", "regex"), ["not_encoded"], None),
        (page("/café$", "regex"), ["not_encoded"], page("/caf%C3%A9$", "regex")),
        (
            Rule("event", "exact", "sign*"),
            ["wildcard"],
            Rule("event", "regex", "^sign"),
        ),
        (Rule("custom", "exact", "buy "), ["spaces"], Rule("custom", "exact", "buy")),
    ],
)
def test_rule_that_cannot_match_is_corrected(rule, codes, corrected):
    assert certain(rule) == dict.fromkeys(codes, corrected)
    if corrected is not None:
        assert certain(corrected) == {}


@pytest.mark.parametrize(
    "rule",
    [
        page("/"),
        page("/pricing"),
        page("/caf%C3%A9/%2F"),
        page("pricing", "contains"),
        page("pric", "regex"),
        page("^/blog/.*", "regex"),
        page(r"/\d+\?$", "regex"),
        page("(?i)^/a", "regex"),
        page("//pricing"),
        page("/index.html"),
        page("index.html$", "regex"),
        page(r"a\ b", "regex"),
        Rule("event", "exact", "é ü?#"),
        Rule("event", "exact", "a|b $"),
        Rule("event", "exact", r"(\d"),
        page("/[a b]$", "regex"),
        page("/blog/post", "regex"),
        page("/en/us", "regex"),
        page("/a|/b", "regex"),
        Rule("custom", "contains", "https://a.example/"),
    ],
)
def test_rule_that_can_match_is_not_doubted(rule):
    assert certain(rule) == {}


@pytest.mark.parametrize(
    ("rule", "code", "name"),
    [
        (page("/Pricing"), "case", "/pricing"),
        (page("pricing"), "case", "/PRICING"),
        (Rule("event", "contains", "Sign"), "case", "resign"),
        (page("^/Blog", "regex"), "case", "/blog/1"),
        (page("/pricing"), "trailing_slash", "/pricing/"),
        (page("/pricing/"), "trailing_slash", "/pricing"),
        (page("^/blog/*$", "regex"), "star_repeats", "/blog/a"),
        (page("/docs/", "contains"), "trailing_slash", "/docs"),
        (page("^/docs$", "regex"), "trailing_slash", "/docs/"),
        (page("^/docs/$", "regex"), "trailing_slash", "/docs"),
        (page(r"^/docs\?a=1$", "regex"), "query", "/docs"),
        (page("/docs?page=2", "regex"), "query", "/docs"),
        (page("^/docs#top", "regex"), "fragment", "/docs"),
        (Rule("event", "exact", "sign%20up"), "encoded", "sign up"),
    ],
)
def test_what_may_be_meant_matches_the_other_name(rule, code, name):
    [hint] = [hint for hint in hints(rule) if hint.code == code]
    assert not hint.is_certain
    assert not rule.matches(rule.event_type, name)
    assert hint.corrected
    assert hint.corrected.matches(rule.event_type, name)


def test_another_type_may_be_meant():
    found = [h.corrected for h in hints(Rule("event", "exact", "buy"))]
    assert Rule("custom", "exact", "buy") in found
    assert Rule("pageview", "exact", "/buy") in found


@pytest.mark.parametrize(
    ("pattern", "tried"),
    [
        (r"^/a(?=/b)", r"^/a/b"),
        (r"(?<=/a)/b$", r"/a/b$"),
        (r"^/(?!admin)", None),
        (r"(?<!a)b", None),
        (r"(a)\1", None),
        (r"(?>a+)b", r"(?:a+)b"),
        (r"a++b*+c?+", r"a+b*c?"),
        (r"^/a\Z", r"^/a\z"),
        (r"a\hb", r"a[ \t]b"),
        (r"a\u00e9", r"a\x{00e9}"),
        (r"a(?#why)b", "ab"),
        (r"a\Kb", "ab"),
        (r"*.pdf", ".*.pdf"),
        (r"(?'n'a)", "(?P<n>a)"),
        (r"(?x) a b", None),
        (r"a{2000}", None),
        (r"(?|a|b)", "(?:a|b)"),
        (r"(*UTF8)a", "a"),
        (r"a\Nb", "a.b"),
        (r"a\e", r"a\x1b"),
        (r"a\cA", None),
        (r"a\X", "a."),
        (r"(?=.*blog)(?=.*42)", None),
        (r"(a", None),
    ],
)
def test_perl_is_said_in_re2(pattern, tried):
    said = perl_hints(pattern)
    tries = [text.removeprefix("Try: ") for text in said if text.startswith("Try: ")]
    assert tries == ([] if tried is None else [tried])
    assert bool(said) == (pattern != "(a")
    if tried is not None:
        check_pattern(tried)


def test_two_look_aheads_are_not_said_to_be_needless():
    assert not any("At the end" in text for text in perl_hints("(?=.*a)(?=.*b)"))
