"""POST /sites/:key/goals/explain, and the sentences of the matcher."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goals.matching import PatternError, Rule
from tests.factories import GoalFactory, store


@pytest.mark.parametrize(
    ("rule", "event_type", "name", "expected"),
    [
        (("pageview", "exact", "/pricing"), "pageview", "/pricing", "is '/pricing'"),
        (
            ("pageview", "exact", "/pricing"),
            "pageview",
            "/pricing/",
            "'/pricing/' is not '/pricing'",
        ),
        (
            ("event", "contains", "signup"),
            "event",
            "newsletter_signup",
            "'signup' found at 11",
        ),
        (
            ("event", "contains", "Signup"),
            "event",
            "signup",
            "'Signup' not found in 'signup'",
        ),
        (
            ("pageview", "regex", r"/blog/\d+"),
            "pageview",
            "/é/blog/42",
            "matched '/blog/42' at 2",
        ),
        (("custom", "regex", "$"), "goal", "ü", "matched '' at 1"),
        (
            ("pageview", "regex", r"^/blog/\d+$"),
            "pageview",
            "/blog/x",
            r"'^/blog/\d+$' matches nothing in '/blog/x'",
        ),
    ],
)
def test_sentence_says_where(rule, event_type, name, expected):
    rule = Rule(*rule)
    matches, reason = rule.explain(event_type, name)
    assert matches is rule.matches(event_type, name)
    assert reason == f"{rule.match_type}: {expected}"


def test_type_that_differs_is_the_reason():
    assert Rule("custom", "exact", "buy").explain("event", "buy") == (
        False,
        "type differs: a custom goal counts no event events",
    )


@given(
    st.sampled_from(["pageview", "event", "custom"]),
    st.sampled_from(["exact", "contains", "regex"]),
    st.text("ab.*^$[", max_size=4),
    st.sampled_from(["pageview", "event", "goal"]),
    st.text("ab.é", max_size=6),
)
def test_sentence_never_contradicts_the_matcher(type, match_type, value, sent, name):
    rule = Rule(type, match_type, value)
    try:
        expected = rule.matches(sent, name)
    except PatternError:
        return
    assert rule.explain(sent, name)[0] is expected


@pytest.fixture
def explain(reader, site):
    def explain(body, status=200):
        response = reader("POST", f"/sites/{site.site_key}/goals/explain", body)
        assert response.status_code == status
        return response.json()

    return explain


def test_every_live_goal_is_explained(site, strangers_site, explain):
    first = GoalFactory.create(site=site, name="A", type="pageview", match_value="/a")
    GoalFactory.create(site=site, deleted_at="2026-01-01T00:00:00Z")
    GoalFactory.create(site=strangers_site)
    second = GoalFactory.create(
        site=site, name="Blog", type="pageview", match_type="regex", match_value="^/a"
    )
    event = {"type": "pageview", "url": "https://example.com/a/?utm_source=x#top"}
    assert explain(event)["data"] == {
        "event": {"type": "pageview", "name": "/a/"},
        "goals": [
            {
                "id": str(first.id),
                "name": "A",
                "matches": False,
                "reason": "exact: '/a/' is not '/a'",
            },
            {
                "id": str(second.id),
                "name": "Blog",
                "matches": True,
                "reason": "regex: matched '/a' at 0",
            },
        ],
    }


def test_fields_of_both_ways_in_are_taken(explain):
    answer = explain(
        {
            "site": "sk_abc123def456",
            "type": "goal",
            "name": "buy",
            "url": "/cart",
            "revenue": 5,
            "currency": "EUR",
            "visitor_id": "1",
            "timestamp": "2026-01-01T00:00:00Z",
        }
    )
    assert answer["data"]["event"] == {"type": "goal", "name": "buy"}


def test_event_is_explained_with_the_name_that_it_is_stored_with(site, owner, explain):
    event = {"type": "pageview", "url": "/Caf%C3%A9/?q=1#x"}
    sent = owner("POST", f"/sites/{site.site_key}/events", {**event, "visitor_id": "1"})
    assert sent.status_code == 200
    (stored,) = owner("GET", f"/sites/{site.site_key}/events").json()["data"]
    assert stored["name"] == explain(event)["data"]["event"]["name"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"type": "custom", "name": "x"}, "type"),
        ({"type": "goal"}, "name"),
        ({"type": "pageview"}, "url"),
        ({"type": "goal", "name": "x" * 1_025}, "name"),
        ({"type": "goal", "name": "x", "nmae": "y"}, "nmae"),
    ],
)
def test_event_that_would_be_refused_is_a_422(explain, body, field):
    assert list(explain(body, 422)["details"]) == [field]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff"])
def test_body_that_is_not_json_is_malformed(explain, body):
    assert explain(body, 400) == {"error": "Malformed JSON"}


def test_nothing_is_stored(site, owner, explain):
    store(site, "goal", "other")
    explain({"type": "goal", "name": "buy"})
    assert len(owner("GET", f"/sites/{site.site_key}/events").json()["data"]) == 1


def test_cost_does_not_grow_with_goals(site, reader):
    for _ in range(5):
        GoalFactory.create(site=site)
    body = {"type": "event", "name": "signup"}
    path = f"/sites/{site.site_key}/goals/explain"
    reader("POST", path, body)
    reader("POST", path, body, queries=2)
