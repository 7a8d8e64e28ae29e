"""What a preview says beside its numbers: hints, and goals that overlap."""

from datetime import UTC, datetime

import pytest
import time_machine

from analytics.ingest.pages import parse
from tests.factories import GoalFactory, store

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
SENT = [
    ("pageview", "/pricing"),
    ("pageview", "/pricing"),
    ("pageview", "/pricing/team"),
    ("pageview", "/blog/one/"),
    ("pageview", "/caf%C3%A9"),
    ("event", "sign up"),
    ("goal", "buy"),
]


@pytest.fixture(autouse=True)
def frozen():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def ask(reader, site):
    for type, name in SENT:
        store(site, type, name, at=NOW)

    def ask(type, match_type, match_value, status=200, **more):
        rule = {"type": type, "match_type": match_type, "match_value": match_value}
        path = f"/sites/{site.site_key}/goals/preview"
        response = reader("POST", path, {**rule, **more})
        assert response.status_code == status, response.content
        return response.json()["data" if status == 200 else "details"]

    return ask


@pytest.mark.parametrize(
    ("rule", "code", "names", "corrected"),
    [
        (
            ("pageview", "exact", "pricing"),
            "no_leading_slash",
            ["/pricing"],
            "/pricing",
        ),
        (
            ("pageview", "exact", "https://example.com/pricing?a=b#c"),
            "full_url",
            ["/pricing"],
            "/pricing",
        ),
        (("pageview", "exact", "/pricing?a=b"), "query", ["/pricing"], "/pricing"),
        (("pageview", "exact", "/pricing#c"), "fragment", ["/pricing"], "/pricing"),
        (
            ("pageview", "exact", "/pricing*"),
            "wildcard",
            ["/pricing", "/pricing/team"],
            "^/pricing",
        ),
        (("pageview", "exact", "/pricing "), "spaces", ["/pricing"], "/pricing"),
        (("pageview", "exact", "/café"), "not_encoded", ["/caf%C3%A9"], "/caf%C3%A9"),
        (("pageview", "exact", "/Pricing"), "case", ["/pricing"], "(?i)^/Pricing$"),
        (
            ("pageview", "exact", "/blog/one"),
            "trailing_slash",
            ["/blog/one/"],
            "/blog/one/",
        ),
        (
            ("pageview", "exact", "/pricing/"),
            "trailing_slash",
            ["/pricing"],
            "/pricing",
        ),
        (("event", "exact", "sign%20up"), "encoded", ["sign up"], "sign up"),
        (("event", "exact", "buy"), "other_type", ["buy"], "buy"),
        (("pageview", "exact", "/pricng"), "not_sent", ["/pricing"], "/pricing"),
        (("event", "exact", "zzz"), "not_sent", [], None),
    ],
)
def test_hint_names_what_there_is_and_a_rule_that_counts_it(
    ask, rule, code, names, corrected
):
    found = {hint["code"]: hint for hint in ask(*rule)["hints"]}
    assert found[code]["names"][: len(names)] == names
    if corrected is None:
        assert found[code]["corrected"] is None
        return
    assert found[code]["corrected"]["match_value"] == corrected
    counted = ask(**found[code]["corrected"])
    assert [row["name"] for row in counted["names"]] == names
    assert counted["conversions"] > 0


@pytest.mark.parametrize(
    "rule",
    [
        ("pageview", "exact", "/pricing"),
        ("pageview", "contains", "pricing"),
        ("pageview", "regex", "^/pricing"),
        ("event", "exact", "sign up"),
        ("custom", "exact", "buy"),
    ],
)
def test_rule_that_matches_gets_no_hint(ask, rule):
    assert ask(*rule)["hints"] == []


@pytest.mark.parametrize(
    ("rule", "codes"),
    [
        # A mistake explains all: nothing else is guessed.
        (("pageview", "exact", "pricing"), ["no_leading_slash"]),
        (("pageview", "contains", "pricing*"), ["wildcard"]),
        (("event", "regex", " sign"), ["spaces"]),
        # Two of them are two.
        (("pageview", "exact", "Pricing"), ["no_leading_slash", "case"]),
        (("pageview", "exact", "blog/one"), ["no_leading_slash", "trailing_slash"]),
        (("pageview", "exact", "buy"), ["no_leading_slash", "other_type"]),
        (("event", "exact", "pricing"), ["other_type"]),
        (("pageview", "regex", "^/blog/one$"), ["trailing_slash"]),
        (("pageview", "regex", r"/pricing\?plan=pro"), ["query"]),
    ],
)
def test_only_what_explains_the_rule_is_said(ask, rule, codes):
    assert [hint["code"] for hint in ask(*rule)["hints"]] == codes


def test_nearest_names_are_found_in_another_case(ask):
    [hint] = ask("pageview", "exact", "/PRICNG")["hints"]
    assert (hint["code"], hint["names"][0]) == ("not_sent", "/pricing")


def test_rule_that_matches_less_than_there_is_gets_one(ask, site):
    store(site, "pageview", "/PRICING", at=NOW)
    [hint] = ask("pageview", "exact", "/pricing")["hints"]
    assert (hint["code"], hint["names"]) == ("case", ["/PRICING"])


@pytest.mark.parametrize("text", ["/café", "/a b", "/日本"])
def test_paths_are_kept_as_browsers_send_them(text):
    """So a rule with the letters themselves matches no browser's page view."""
    from urllib.parse import quote

    assert parse(f"https://example.com{quote(text)}").path == quote(text)


def test_perl_pattern_is_refused_with_its_way_in_re2(ask):
    details = ask("pageview", "regex", "^/blog(?=/one)", status=422)
    assert "invalid perl operator" in details["match_value"][0]
    assert details["match_value"][-1] == "Try: ^/blog/one"


def test_overlaps_with_other_goals_are_told(ask, site, reader):
    def goal(name, match_type, value, **more):
        return GoalFactory.create(
            site=site,
            type=more.pop("type", "pageview"),
            name=name,
            match_type=match_type,
            match_value=value,
            **more,
        )

    same = goal("Same", "regex", "^/pricing")
    narrow = goal("Narrow", "exact", "/pricing")
    wide = goal("Wide", "contains", "/")
    goal("Other", "exact", "/caf%C3%A9")
    goal("Type", "exact", "buy", type="custom")
    goal("Gone", "exact", "/pricing", deleted_at=NOW)
    told = ask("pageview", "contains", "/pricing")["overlaps"]
    assert told == [
        overlap(same, "same", 2, 3),
        overlap(wide, "within", 2, 3),
        overlap(narrow, "contains", 1, 2),
    ]
    # Of an edit, the goal itself is left out.
    path = f"/sites/{site.site_key}/goals/preview"
    edited = reader("POST", path, {"goal": str(same.pk)}).json()["data"]
    assert [row["name"] for row in edited["overlaps"]] == ["Wide", "Narrow"]


def overlap(goal, relation, names, conversions):
    return {
        "id": str(goal.pk),
        "name": goal.name,
        "relation": relation,
        "names": names,
        "conversions": conversions,
    }
