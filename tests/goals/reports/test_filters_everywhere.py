"""Every question takes the same filters, in the same words.

Four visitors of a day, each of whom bought once: a table says who passes a filter.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from analytics.events import Labels
from tests.factories import GoalFactory, store

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = {"period": "custom", "from": "2026-03-02", "to": "2026-03-02"}

# Of each: the arrival, and what was bought. The last one was never seen on a page.
VISITORS: list[tuple[tuple[str, Labels] | None, dict[str, Any]]] = [
    (
        (
            "/blog/a",
            Labels(
                "www.google.com",
                country="DE",
                device="Mobile",
                browser="Mobile Safari",
                os="iOS",
            ),
        ),
        {"page": "/cart", "props": {"plan": "pro"}},
    ),
    (
        (
            "/blog/b*c",
            Labels(
                "",
                "News",
                "email",
                "Spring",
                "FR",
                "Desktop",
                "Firefox",
                "Linux",
                utm_term="Shoes",
                utm_content="Top",
            ),
        ),
        {"page": "/cart", "props": {"plan": "Pro"}},
    ),
    (("/", Labels("news.example")), {"page": "/cart", "props": {"seats": 3}}),
    (None, {"page": None}),
]

# Who bought and passes; and which visitors of the site do, if they are others.
TABLE: dict[str, tuple[str, ...]] = {
    "": ("1234",),
    "referrer=Google": ("1",),
    "referrer=GOOGLE,news.example": ("13",),
    "referrer=!google": ("234",),
    "referrer=(none)": ("24",),
    "referrer=!(none)": ("13",),
    "referrer=goo*": ("1",),
    "referrer=nobody.example": ("",),
    "channel=search": ("1",),
    "channel=!Direct": ("123",),
    "channel=EMAIL,referral": ("23",),
    "channel=Ref*": ("3",),
    "channel=Display": ("",),
    "utm_source=NEWS": ("2",),
    "utm_source=ne*": ("2",),
    "utm_source=(none)": ("134",),
    "utm_source=unseen": ("",),
    "utm_medium=Email": ("2",),
    "utm_campaign=spring": ("2",),
    "utm_campaign=!SPRING": ("134",),
    "utm_term=shoes": ("2",),
    "utm_content=t*": ("2",),
    "entry_path=/blog/*": ("12",),
    "entry_path=/Blog/*": ("",),
    r"entry_path=/blog/b\*c": ("2",),
    r"entry_path=/blog/\*": ("",),
    "entry_path=(none)": ("4",),
    "entry_path=!/,(none)": ("12",),
    "path=/cart": ("123",),
    "path=/CART": ("",),
    "path=/c*,(none)": ("1234",),
    "path=(none)": ("4",),
    "path=!/cart": ("4", "1234"),
    r"path=/blog/b\*c": ("", "2"),
    "name=buy": ("1234",),
    "name=BUY": ("",),
    "name=b*": ("1234",),
    r"name=b\*": ("",),
    "name=!buy": ("", "123"),
    "props.plan=pro": ("1",),
    "props.plan=pro,Pro": ("12",),
    "props.plan=p*": ("1",),
    "props.plan=(none)": ("34", "1234"),
    "props.seats=3": ("3",),
    "props.seats=!3": ("124", "1234"),
    "props.unseen=x": ("",),
    "props=plan=pro,Pro": ("12",),
    "props=plan=!p*": ("234", "1234"),
    "props=seats=3": ("3",),
    "props=seats=(none)": ("124", "1234"),
    "country=DE": ("1",),
    "country=!DE,FR": ("34",),
    "country=(none)": ("34",),
    "country=F*": ("2",),
    "country=US": ("",),
    "device=Mobile,Desktop": ("12",),
    "device=Mob*": ("1",),
    "device=!Mobile": ("234",),
    "device=Console": ("",),
    "browser=Firefox": ("2",),
    "browser=Mobile*": ("1",),
    "os=iOS": ("1",),
    "os=!iOS,(none)": ("2",),
    "country=DE&referrer=Google&path=/cart": ("1",),
    "country=DE&channel=Email": ("",),
}
# Values that cannot be, and one of those there are.
REFUSED = {
    "country=Germany": "DE",
    "country=de": "DE",
    "country=!Germany": "DE",
    "country=Ger*": "DE",
    "device=phone": "Mobile",
    "device=Desktop,laptop": "Tablet",
    "channel=Google": "Paid search",
    "channel=(none)": "Direct",
    "name=(none)": "Every event has a name.",
    "country=": "",
    "referrer=a,,b": "",
    "props=plan": "key=value",
    "props=": "",
}

Ask = Callable[[str], tuple[int, Any]]


@pytest.fixture
def ask_each(owner, site) -> dict[str, Ask]:
    """Each question about the day: its status, and how many it tells or its body."""
    goal = GoalFactory.create(site=site, type="custom", match_value="buy")
    saved = site.funnels.create(name="Twice", steps=[{"goal": str(goal.pk)}] * 2)
    for visitor, (arrival, bought) in enumerate(VISITORS, start=1):
        if arrival:
            path, labels = arrival
            store(site, "pageview", path, at=NOON, visitor=visitor, labels=labels)
        at = NOON + timedelta(minutes=1)
        store(site, "goal", "buy", at=at, visitor=visitor, **bought)

    def of(path: str, number: Callable[[Any], int], more: str = "") -> Ask:
        period = "&".join(f"{name}={value}" for name, value in DAY.items())

        def ask(query: str) -> tuple[int, Any]:
            asked = f"{period}{more}&{quote(query, safe='=&')}"
            response = owner("GET", f"/sites/{site.site_key}{path}?{asked}")
            body = response.json()
            is_right = response.status_code == 200
            return response.status_code, number(body["data"]) if is_right else body

        return ask

    def by_mcp(query: str) -> tuple[int, Any]:
        filters = dict(part.split("=", 1) for part in query.split("&") if part)
        arguments = {"site_key": site.site_key, "goal": str(goal.pk), **DAY, **filters}
        params = {"name": "goal_stats", "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        result = owner("POST", "/mcp", message).json()["result"]
        told = result["structuredContent"]
        if result.get("isError"):
            return 422, told
        return 200, told["data"]["conversions"]

    def buyers(data: Any) -> int:
        rows = data["breakdowns"]["name"]
        return sum(row["visitors"] for row in rows if row["value"] == "buy")

    def summed(key: str) -> Callable[[Any], int]:
        return lambda data: sum(row["conversions"] for row in data[key])

    own = f"/goals/{goal.pk}"
    return {
        "stats": of(f"{own}/stats", lambda data: data["conversions"]),
        "timeseries": of(f"{own}/timeseries", summed("timeseries")),
        "hours": of(f"{own}/timeseries", summed("timeseries"), "&interval=hour"),
        "by label": of(f"{own}/breakdown", summed("breakdown"), "&dimension=os"),
        "by path": of(f"{own}/breakdown", summed("breakdown"), "&dimension=path"),
        "rate": of(f"{own}/rate", lambda data: data["numerator"]["unique_visitors"]),
        "conversions": of(f"{own}/conversions", len),
        "journeys": of(f"{own}/journeys", lambda data: data["journeys"]),
        "by property": of(
            f"{own}/breakdown", summed("breakdown"), "&dimension=props.plan"
        ),
        "all goals": of("/goals/stats", summed("goals")),
        "mcp": by_mcp,
        "funnel": of(
            f"/funnels/{saved.pk}/stats", lambda data: data["steps"][0]["visitors"]
        ),
        "funnel by label": of(
            f"/funnels/{saved.pk}/stats",
            lambda data: sum(row["visitors"][0] for row in data["breakdown"]),
            "&dimension=os",
        ),
        "names of the site": of("/stats", buyers, "&dimensions=name"),
        "site": of("/stats", lambda data: data["totals"]["visitors"]),
        "site by label": of(
            "/stats",
            lambda data: sum(row["visitors"] for row in data["breakdowns"]["os"]),
            "&dimensions=os",
        ),
    }


QUESTIONS = (
    *("stats", "timeseries", "hours", "by label", "by path", "rate", "conversions"),
    *("journeys", "by property", "all goals", "mcp", "funnel", "funnel by label"),
    *("names of the site", "site", "site by label"),
)


@pytest.mark.parametrize("question", QUESTIONS)
def test_question_takes_every_filter(ask_each, question):
    ask = ask_each[question]
    place = -1 if question.startswith("site") else 0
    expected = {query: (200, len(who[place])) for query, who in TABLE.items()}
    assert {query: ask(query) for query in TABLE} == expected


@pytest.mark.parametrize("question", QUESTIONS)
def test_question_refuses_what_cannot_be(ask_each, question):
    for query, there_is in REFUSED.items():
        status, body = ask_each[question](query)
        assert status == 422, query
        name = query.partition("=")[0]
        assert there_is in json.dumps(body["details"][name]), query


def test_each_question_is_asked(ask_each):
    assert tuple(ask_each) == QUESTIONS
