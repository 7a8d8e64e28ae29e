"""GET /sites/:key/goals/:id/breakdown."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from analytics import events
from analytics.events import Labels
from analytics.questions.filters import LABELS
from goals.reports import breakdown_values
from tests.factories import GoalFactory, store

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def breakdown(reader, site):
    """Ask for a breakdown of a goal, 1 to 3 March 2026."""
    goal = GoalFactory.create(
        site=site, match_type="contains", match_value="sign", currency="EUR"
    )
    path = f"/sites/{site.site_key}/goals/{goal.pk}/breakdown"
    period = "period=custom&from=2026-03-01&to=2026-03-03"

    def ask(dimension, query="", **options):
        asked = f"{period}&dimension={quote(dimension)}&{query}"
        return reader("GET", f"{path}?{asked}", **options)

    return ask


def signup(site, name="signup", **values):
    store(site, "event", name, **{"at": NOON, **values})


def rows(response):
    """The rows as (value, conversions, uniques, revenue)."""
    assert response.status_code == 200, response.content
    found = response.json()["data"]["breakdown"]
    return [tuple(row.values())[:4] for row in found]


def values(response):
    return [row[0] for row in rows(response)]


def test_countries_are_told_apart(breakdown, site):
    for visitor, country in ((1, "DE"), (2, "DE"), (2, "DE"), (3, "FR"), (4, "")):
        signup(site, visitor=visitor, labels=Labels(country=country), amount=10_000)
    breakdown("country")
    # Key and site, goal, the state of the rule's and of the site's counts, refunds.
    assert breakdown("country", queries=4).json() == {
        "data": {
            "period": {"from": "2026-03-01", "to": "2026-03-03"},
            "attribution": "last",
            "dimension": "country",
            "breakdown": [
                rated("DE", 3, 2, 3.0, 0.34238),
                rated("FR", 1, 1, 1.0, 0.206549),
                rated(None, 1, 1, 1.0, 0.206549),
            ],
            "total_values": 3,
            "other": None,
            "next_cursor": None,
        }
    }


def rated(value, conversions, uniques, revenue, low):
    """All of them converted, who had the label."""
    return {
        **row(value, conversions, uniques, revenue),
        "visitors": uniques,
        "rate": 1.0,
        "interval": {"level": 0.95, "low": low, "high": 1.0},
        "too_few_to_compare": True,
    }


def row(value, conversions, uniques, revenue):
    return {
        "value": value,
        "conversions": conversions,
        "unique_conversions": uniques,
        "revenue": revenue,
    }


def test_visitor_of_two_contexts_with_one_label_is_one(breakdown, site):
    for referrer in ("Google", "Bing", ""):
        signup(site, visitor=1, labels=Labels(referrer, country="DE"))
    assert rows(breakdown("country")) == [("DE", 3, 1, 0.0)]
    assert rows(breakdown("referrer")) == [
        ("Bing", 2, 1, 0.0),
        ("Google", 1, 1, 0.0),
    ]
    assert rows(breakdown("referrer", "attribution=event")) == [
        ("Bing", 1, 1, 0.0),
        ("Google", 1, 1, 0.0),
        (None, 1, 1, 0.0),
    ]


@pytest.mark.parametrize("label", sorted({*LABELS} - {"channel", "entry_path"}))
def test_each_label_is_a_dimension(breakdown, site, label):
    value = "news.example" if label == "referrer" else "XY"
    signup(site, labels=Labels(**{label: value}))
    assert values(breakdown(label)) == [value]


def test_channel_is_a_dimension(breakdown, site):
    signup(site, labels=Labels(utm_medium="email"))
    assert values(breakdown("channel")) == ["Email"]


def test_name_is_what_matched_and_path_where(breakdown, site):
    signup(site, "signup", page="/join")
    signup(site, "signup", page="/")
    signup(site, "design", page="/")
    signup(site, "design")
    signup(site, "other", page="/")
    assert rows(breakdown("name")) == [
        ("design", 2, 1, 0.0),
        ("signup", 2, 1, 0.0),
    ]
    assert rows(breakdown("path")) == [
        ("/", 2, 1, 0.0),
        ("/join", 1, 1, 0.0),
        (None, 1, 1, 0.0),
    ]


def test_path_of_a_page_view_is_its_name(reader, site):
    goal = GoalFactory.create(
        site=site, type="pageview", match_type="contains", match_value="/"
    )
    store(site, "pageview", "/a", at=NOON)
    path = f"/sites/{site.site_key}/goals/{goal.pk}/breakdown?dimension=path"
    response = reader("GET", f"{path}&period=custom&from=2026-03-02&to=2026-03-02")
    assert rows(response) == [("/a", 1, 1, None)]


def test_values_of_different_types_are_kept_apart(breakdown, site):
    props = [1, 1.0, "1", True, "true", None, "null", 0.1 + 0.2, "", False, 0, -0.0]
    for value in props:
        signup(site, props={"key": value})
    signup(site, props={"other": 1})
    signup(site)
    assert [row[:2] for row in rows(breakdown("props.key", "sort=value"))] == [
        ("", 1),
        ("1", 1),
        ("null", 1),
        ("true", 1),
        (0, 2),
        (0.30000000000000004, 1),
        (1, 2),
        (False, 1),
        (True, 1),
        (None, 3),
    ]


def test_numbers_beyond_a_double_are_the_largest(breakdown, site):
    for value in (10**400, -(10**400), 5e-324, 2**53 + 1, 1e300):
        signup(site, props={"n": value})
    assert values(breakdown("props.n", "sort=value")) == [
        -1.7976931348623157e308,
        5e-324,
        2**53,
        1e300,
        1.7976931348623157e308,
    ]


@pytest.mark.parametrize(
    "key",
    [
        "a.b",
        "$",
        "$.key",
        "[0]",
        "0",
        'quo"te',
        "apo'strophe",
        "back\\slash",
        "%s",
        "%(key)s",
        "{key}",
        "line\nbreak",
        " ",
        "ünï 🎉",
        "') OR 1=1 --",
        "k" * 1_024,
    ],
)
def test_key_is_no_path_and_no_statement(breakdown, site, key):
    signup(site, props={key: "found", "key": "other"})
    assert rows(breakdown(f"props.{key}")) == [("found", 1, 1, 0.0)]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("", ["c", "a", "b", "d"]),
        ("sort=-conversions", ["c", "a", "b", "d"]),
        ("sort=conversions", ["d", "a", "b", "c"]),
        ("sort=-unique_conversions", ["a", "b", "c", "d"]),
        ("sort=unique_conversions", ["c", "d", "a", "b"]),
        ("sort=-revenue", ["d", "b", "a", "c"]),
        ("sort=revenue", ["a", "c", "b", "d"]),
        ("sort=value", ["a", "b", "c", "d"]),
        ("sort=-value", ["d", "c", "b", "a"]),
    ],
)
def test_rows_are_sorted_and_ties_by_value(breakdown, site, sort, expected):
    visitors = {"a": (1, 2), "b": (1, 2), "c": (1, 1, 1), "d": (1,)}
    amounts = {"b": 50_000, "d": 100_000}
    for value, those in visitors.items():
        for visitor in those:
            signup(site, visitor=visitor, props={"k": value}, amount=amounts.get(value))
            amounts.pop(value, None)
    assert values(breakdown("props.k", sort)) == expected
    response = breakdown("props.k", f"{sort}&limit=2")
    assert values(response) == expected[:2]
    assert response.json()["data"]["total_values"] == 4


def test_refund_is_taken_off_the_value_of_what_was_sold(breakdown, site):
    before = datetime(2026, 2, 1, 12, tzinfo=UTC)
    signup(site, at=before, props={"plan": "pro"}, amount=500_000, event_id="1")
    signup(site, props={"plan": "basic"}, amount=90_000)
    refund = events.NewRefund(NOON.date(), NOON, refund_of="1", amount=200_000)
    events.refund(site.pk, [refund])
    assert rows(breakdown("props.plan")) == [("basic", 1, 1, 9.0), ("pro", 0, 0, -20.0)]


def test_filter_narrows_what_is_broken_down(breakdown, site):
    signup(site, labels=Labels(country="DE", os="Linux"))
    signup(site, labels=Labels(country="FR", os="Windows"))
    assert values(breakdown("os", "country=DE")) == ["Linux"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("dimension=props.", "dimension"),
        ("dimension=props", "dimension"),
        ("dimension=city", "dimension"),
        ("dimension=props.%00", "dimension"),
        ("dimension=", "dimension"),
        ("dimension=os&limit=0", "limit"),
        ("dimension=os&limit=1001", "limit"),
        ("dimension=os&sort=name", "sort"),
        ("dimension=os&compare=week", "compare"),
    ],
)
def test_wrong_parameter_is_refused(reader, site, query, field):
    goal = GoalFactory.create(site=site)
    path = f"/sites/{site.site_key}/goals/{goal.pk}/breakdown"
    response = reader("GET", f"{path}?{query}")
    assert response.status_code == 422
    assert list(response.json()["details"]) == [field]


def test_rates_are_of_the_visitors_with_the_value(breakdown, site):
    for visitor in range(1, 5):
        labels = Labels(utm_source="mail" if visitor < 4 else "ads")
        store(site, "pageview", "/", at=NOON, visitor=visitor, labels=labels)
    signup(site, visitor=1)
    found = breakdown("utm_source").json()["data"]["breakdown"]
    assert [(r["value"], r["visitors"], r["rate"]) for r in found] == [
        ("mail", 3, 0.333333)
    ]
    found = breakdown("utm_source", "include=visitors").json()["data"]["breakdown"]
    assert [
        (r["value"], r["conversions"], r["visitors"], r["rate"]) for r in found
    ] == [
        ("mail", 1, 3, 0.333333),
        ("ads", 0, 1, 0.0),
    ]


def test_rates_of_a_path_are_of_its_visitors(breakdown, site):
    for visitor in (1, 2, 3):
        store(site, "pageview", "/cart", at=NOON, visitor=visitor)
    store(site, "pageview", "/", at=NOON, visitor=1)
    signup(site, visitor=1, page="/cart", amount=10_000)
    # Who was never seen viewing a page was on it as well.
    signup(site, visitor=4, page="/cart")
    signup(site, visitor=4, page=None)
    assert "visitors" not in breakdown("path").json()["data"]["breakdown"][0]
    shown = breakdown("path", "include=visitors").json()["data"]["breakdown"]
    assert shown[0]["interval"] == {"level": 0.95, "low": 0.150039, "high": 0.849961}
    assert [
        (row["value"], row["conversions"], row["visitors"], row["rate"])
        for row in shown
    ] == [("/cart", 2, 4, 0.5), (None, 1, 1, 1.0), ("/", 0, 1, 0.0)]
    assert all(row["too_few_to_compare"] for row in shown)


@pytest.mark.parametrize("dimension", ["name", "props.plan"])
def test_rates_of_what_events_have_themselves(breakdown, site, dimension):
    for visitor, value in enumerate([1, "1", True, None, "free", "free"]):
        signup(site, visitor=visitor, props={"plan": value})
        # With the value, and no conversion.
        store(site, "event", "other", at=NOON, visitor=visitor + 1, props={"plan": 1})
    found = breakdown(dimension, "include=visitors").json()["data"]["breakdown"]
    told = {
        json.dumps(row["value"]): (row["unique_conversions"], row["visitors"])
        for row in found
    }
    assert (
        told
        == {
            "name": {'"signup"': (6, 6), '"other"': (0, 6)},
            "props.plan": {
                '"free"': (2, 2),
                '"1"': (1, 1),
                "1": (1, 7),
                "true": (1, 1),
                "null": (1, 1),
            },
        }[dimension]
    )


@pytest.mark.django_db(transaction=True)
def test_too_many_values_with_visitors_are_refused(breakdown, site, monkeypatch):
    monkeypatch.setattr(breakdown_values, "_MAX_VALUES", 2)
    for path in ("/a", "/b"):
        store(site, "pageview", path, at=NOON)
    assert breakdown("path", "include=visitors").status_code == 200
    store(site, "pageview", "/c", at=NOON)
    refused = breakdown("path", "include=visitors")
    assert refused.status_code == 422
    assert list(refused.json()["details"]) == ["include"]
    assert breakdown("path").status_code == 200


def test_rates_of_paths_are_compared(reader, site):
    goal = GoalFactory.create(site=site)
    for day, visitors, buyers in ((NOON, 4, 1), (NOON - timedelta(days=1), 2, 2)):
        for visitor in range(visitors):
            store(site, "pageview", "/", at=day, visitor=visitor)
        for visitor in range(buyers):
            signup(site, at=day, visitor=visitor, page="/")
    period = "period=custom&from=2026-03-02&to=2026-03-02&compare=previous"
    path = f"/sites/{site.site_key}/goals/{goal.pk}/breakdown?{period}"
    (row,) = reader("GET", f"{path}&include=visitors").json()["data"]["breakdown"]
    assert (row["visitors"], row["rate"]) == (4, 0.25)
    before = row["comparison"]
    assert (before["visitors"], before["rate"]) == (2, 1.0)
    assert before["rate_verdict"] == "cannot_tell"


def test_pages_go_on_and_what_is_left_is_other(breakdown, site):
    for number in range(5):
        for _ in range(number + 1):
            labels = Labels(utm_term=f"t{number}")
            signup(site, visitor=number, labels=labels, amount=10_000)
    first = breakdown("utm_term", "limit=2").json()["data"]
    assert [r["value"] for r in first["breakdown"]] == ["t4", "t3"]
    assert first["other"] == {"values": 3, "conversions": 6, "revenue": 6.0}
    cursor = f"limit=2&cursor={first['next_cursor']}"
    second = breakdown("utm_term", cursor).json()["data"]
    assert [r["value"] for r in second["breakdown"]] == ["t2", "t1"]
    third = breakdown("utm_term", f"limit=2&cursor={second['next_cursor']}").json()
    assert [r["value"] for r in third["data"]["breakdown"]] == ["t0"]
    assert third["data"]["next_cursor"] is None


@pytest.mark.parametrize("cursor", ["x", "MA==", "LTE=", "OTk5OTk5OTk5OQ=="])
def test_cursor_of_no_page_is_refused(breakdown, site, cursor):
    response = breakdown("country", f"cursor={cursor}")
    assert response.status_code == 422
    assert list(response.json()["details"]) == ["cursor"]
