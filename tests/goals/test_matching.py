"""The matcher: one table of cases, asked directly and over the whole API."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goals import matching
from goals.matching import (
    EVENT_TYPES,
    PatternError,
    Rule,
    check_pattern,
    compile_pattern,
    matching_rules,
)

CASES = [
    # match_type, match_value, name, expected
    ("exact", "/pricing", "/pricing", True),
    ("exact", "/pricing", "/pricing/", False),
    ("exact", "/pricing/", "/pricing", False),
    ("exact", "/pricing", "/pricing/x", False),
    ("exact", "/pricing", "/en/pricing", False),
    ("exact", "/pricing", "/Pricing", False),
    ("exact", "/", "/", True),
    ("exact", "/a*", "/abc", False),
    ("exact", "/a.c", "/abc", False),
    ("exact", " x ", " x ", True),
    ("exact", "x", " x ", False),
    ("exact", " x ", "x", False),
    ("exact", "a\nb", "a\nb", True),
    ("exact", "a", "a\n", False),
    ("exact", "naïve", "naïve", True),
    ("exact", "na\u00efve", "nai\u0308ve", False),
    ("exact", "straße", "STRASSE", False),
    ("exact", "日本", "日本", True),
    ("exact", "🛒", "🛒", True),
    ("exact", "/caf%C3%A9", "/caf%C3%A9", True),
    ("exact", "/caf%C3%A9", "/caf%c3%a9", False),
    ("exact", "/caf%C3%A9", "/café", False),
    ("exact", "/café", "/caf%C3%A9", False),
    ("exact", "/a%20b", "/a b", False),
    ("exact", "/a+b", "/a b", False),
    ("exact", "null", "null", True),
    ("exact", "1", "1.0", False),
    ("contains", "signup", "newsletter_signup", True),
    ("contains", "signup", "signup", True),
    ("contains", "signup", "SignUp", False),
    ("contains", "Signup", "newsletter_signup", False),
    ("contains", "signup", "sign", False),
    ("contains", "/blog/", "/blog", False),
    ("contains", "%", "100% off", True),
    ("contains", "%", "abc", False),
    ("contains", "a%c", "abc", False),
    ("contains", "%20", "/a%20b", True),
    ("contains", "_", "a_b", True),
    ("contains", "_", "abc", False),
    ("contains", "a_c", "abc", False),
    ("contains", "*", "a*b", True),
    ("contains", "*", "abc", False),
    ("contains", "a*c", "abc", False),
    ("contains", "?", "what?", True),
    ("contains", ".", "abc", False),
    ("contains", "\\d", "42", False),
    ("contains", "\\", "a\\b", True),
    ("contains", "'; --", "x'; -- y", True),
    ("contains", " ", "a b", True),
    ("contains", "\n", "a\nb", True),
    ("contains", "b\nc", "ab\ncd", True),
    ("contains", "É", "école É", True),
    ("contains", "É", "école", False),
    ("contains", "ß", "straße", True),
    ("contains", "ss", "straße", False),
    ("contains", "é", "e\u0301", False),
    ("contains", "C3%A9", "/caf%C3%A9", True),
    ("contains", "é", "/caf%C3%A9", False),
    ("regex", r"/blog/\d+", "/blog/42", True),
    ("regex", r"/blog/\d+", "/en/blog/42/comments", True),
    ("regex", r"^/blog/\d+$", "/en/blog/42", False),
    ("regex", r"^/blog/\d+$", "/blog/42/", False),
    ("regex", r"/blog/\d+", "/blog/x", False),
    ("regex", r"/blog/\d+", "/blog/٣", False),
    ("regex", r"^/blog", "/Blog", False),
    ("regex", r"(?i)^/blog", "/BLOG", True),
    ("regex", r"(?i)é", "É", True),
    ("regex", r"^a.c$", "abc", True),
    ("regex", r"^a.c$", "a😀c", True),
    ("regex", r"^a.c$", "a\nc", False),
    ("regex", r"(?s)^a.c$", "a\nc", True),
    ("regex", r"^a$", "a\n", False),
    ("regex", r"^b", "a\nb", False),
    ("regex", r"(?m)^b$", "a\nb\nc", True),
    ("regex", r"^\pL+$", "日本語", True),
    ("regex", r"^\w+$", "naïve", False),
    ("regex", r"\bcart\b", "add cart now", True),
    ("regex", r"\bcart\b", "cartoon", False),
    ("regex", r"a|b", "xbx", True),
    ("regex", r"^(?:a|b)$", "ab", False),
    ("regex", r"[.*%_]", "100%", True),
    ("regex", r"[.*%_]", "100", False),
    ("regex", r"\.", "abc", False),
    ("regex", r"x*", "abc", True),
    ("regex", r"^$", "abc", False),
    ("regex", r" ", "a b", True),
    ("regex", r"caf%C3%A9", "/caf%C3%A9", True),
    ("regex", r"^(?P<kind>buy|rent)-(\d{1,3})$", "rent-77", True),
    ("regex", r"(a+)+$", "aaaa!", False),
    ("regex", r"(a+)+$", "!aaaa", True),
]
# What no client can send as a name or a rule, so that only the matcher is asked.
EMPTY = [
    ("exact", "", "", True),
    ("exact", "", "a", False),
    ("exact", "a", "", False),
    ("contains", "", "a", True),
    ("contains", "a", "", False),
    ("regex", "", "", True),
    ("regex", "", "a", True),
    ("regex", "^$", "", True),
    ("regex", "a", "", False),
    ("exact", "a\0b", "a\0b", True),
    ("contains", "\0", "a\0b", True),
]
REFUSED = [
    (r"/blog/(?=x)", "invalid perl operator: (?="),
    (r"(?!x)", "invalid perl operator: (?!"),
    (r"(?<=a)b", "invalid perl operator: (?<="),
    (r"(?<!a)b", "invalid perl operator: (?<!"),
    (r"(?>a)", "invalid perl operator: (?>"),
    (r"(a)\1", r"invalid escape sequence: \1"),
    (r"(?P<n>a)(?P=n)", "invalid perl operator: (?P"),
    (r"a{1001}", "invalid repetition size: {1001}"),
    (r"((a{100}){100}){100}", "invalid repetition size: {100}"),
    (r"\pL{1000}" * 9, "pattern too large - compile failed"),
    (r"(", "missing ): ("),
    (r")", "unexpected ): )"),
    (r"[a", "missing ]: [a"),
    (r"[z-a]", "invalid character class range: z-a"),
    (r"*", "no argument for repetition operator: *"),
    (r"a**", "bad repetition operator: **"),
    ("\\", "trailing \\"),
    (r"\p{Klingon}", r"invalid character class range: \p{Klingon}"),
]


@pytest.mark.parametrize(("match_type", "value", "name", "expected"), CASES + EMPTY)
def test_rule_matches_or_not(match_type, value, name, expected):
    assert Rule("event", match_type, value).matches("event", name) is expected


@pytest.mark.django_db
@pytest.mark.parametrize(("match_type", "value", "name", "expected"), CASES)
def test_stats_count_what_the_rule_matches(
    match_type, value, name, expected, owner, track, site
):
    """From both ways in to the number, on whichever database the tests run."""
    kind, event = "event", {"type": "event", "name": name}
    if name.startswith("/"):
        kind = "pageview"
        event = {"type": "pageview", "url": f"https://{site.domain}{name}"}
    track(event)
    sites = f"/sites/{site.site_key}"
    owner("POST", f"{sites}/events", {**event, "visitor_id": "customer-1"})
    goal = {"name": "g", "type": kind, "match_type": match_type, "match_value": value}
    made = owner("POST", f"{sites}/goals", goal).json()["data"]
    stats = owner("GET", f"{sites}/goals/{made['id']}/stats").json()["data"]
    assert made["match_value"] == value
    assert stats["conversions"] == (2 if expected else 0)


@pytest.mark.parametrize("goal_type", EVENT_TYPES)
@pytest.mark.parametrize("event_type", EVENT_TYPES.values())
def test_types_never_mix(goal_type, event_type):
    own = EVENT_TYPES[goal_type] == event_type
    for match_type, value in (("exact", "x"), ("contains", "x"), ("regex", ".*")):
        assert Rule(goal_type, match_type, value).matches(event_type, "x") is own


@pytest.mark.parametrize(("pattern", "reason"), REFUSED)
def test_pattern_is_refused_with_the_reason_of_re2(pattern, reason):
    with pytest.raises(PatternError) as refused:
        compile_pattern(pattern)
    assert str(refused.value) == reason


@pytest.mark.parametrize(
    "pattern", [r"(a+)+$", r"(a|aa)+$", r"(a|a?)+b$", r"(.*)*x", r"^(([a-z])+.)+[A-Z]$"]
)
def test_backtracking_pattern_takes_linear_time(pattern):
    rule = Rule("event", "regex", pattern)
    begun = time.process_time()
    assert not rule.matches("event", "a" * 1_000_000 + "!")
    assert time.process_time() - begun < 1


def test_costliest_accepted_pattern_is_done_with_a_name_soon():
    def accepted(pattern):
        try:
            compile_pattern(pattern)
        except PatternError:
            return False
        return True

    repeats = [r"(?:[^x]?){1000}" * count + "x$" for count in range(1, 30)]
    costliest = max(filter(accepted, repeats), key=len)
    begun = time.process_time()
    assert not Rule("event", "regex", costliest).matches("event", "aé" * 512 + "y")
    assert time.process_time() - begun < 0.5


def test_unknown_match_type_is_no_rule():
    with pytest.raises(ValueError, match="no such match type: glob"):
        Rule("event", "glob", "x").matches("event", "x")


# Many rules at once

NAMES = st.text(st.sampled_from("ab/é\0 .*"), max_size=12)
PATTERNS = st.sampled_from(["a", "^a", "b$", "a.b", r"\d", "(a|é)+$", "", "[^a]{2}"])
RULES = st.lists(
    st.builds(Rule, st.just("event"), st.sampled_from(["exact", "contains"]), NAMES)
    | st.builds(Rule, st.just("event"), st.just("regex"), PATTERNS),
    max_size=150,
)


@given(RULES, st.lists(NAMES, max_size=30))
def test_rules_together_match_as_each_by_itself(rules, names):
    found = dict(matching_rules(rules, names))
    assert [found[number] for number in range(len(rules))] == [
        [n for n, name in enumerate(names) if rule.matches("event", name)]
        for rule in rules
    ]


def test_rules_that_are_too_much_for_one_automaton_are_matched_one_by_one(monkeypatch):
    monkeypatch.setattr(matching, "_SET_MEMORY", 1 << 14)
    rules = [Rule("event", "regex", f"[a-q][^u-z]{{{n}}}x") for n in range(1, 60)]
    names = [f"{'ab' * n}x" for n in range(40)]
    assert dict(matching_rules(rules, names)) == {
        number: [n for n, name in enumerate(names) if rule.matches("event", name)]
        for number, rule in enumerate(rules)
    }


def test_pattern_that_takes_long_for_each_character_is_refused():
    large = "[a-q][^u-z]{1000}x"
    with pytest.raises(PatternError, match="too large"):
        check_pattern(large)
    # A goal stored before there was a bound goes on counting.
    assert Rule("event", "regex", large).matches("event", "a" + "b" * 1_000 + "x")
