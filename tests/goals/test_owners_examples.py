"""The examples of the owner's document, sent as its curl lines send them.

The table repeats them, so that they are tested wherever the project is. Where the
document is at hand, a test compares the two.
"""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from analytics import events
from analytics.models import ApiToken
from tests.curl import Sent, parse, same, send
from tests.factories import GoalFactory

DOCUMENT = Path(__file__).parents[3] / "shared" / "seeds" / "goals-api.txt"
KEY = {"Authorization": "Bearer YOUR_API_TOKEN"}
JSON = {"Content-Type": "application/json"}
GOALS = "/api/v1/analytics/sites/sk_abc123def456/goals"
PURCHASE = {
    "id": "550e8400-e29b-41d4-a716-446655440000",
    "name": "Purchase",
    "type": "custom",
    "match_type": "exact",
    "match_value": "purchase",
    "currency": "USD",
}
NEWSLETTER = {
    "id": "661f9511-f39c-52e5-b827-557766551111",
    "name": "Newsletter Signup",
    "type": "pageview",
    "match_type": "exact",
    "match_value": "/newsletter/confirmed",
    "currency": None,
}
CONTACT = {
    "id": "772a0622-a40d-63f6-c938-668877662222",
    "name": "Contact Form",
    "type": "event",
    "match_type": "contains",
    "match_value": "contact",
    "currency": None,
}
THANK_YOU = {
    "name": "Thank You Page",
    "type": "pageview",
    "match_type": "exact",
    "match_value": "/thank-you",
}


class Example(NamedTuple):
    """`status` and `answer` are those of the document where it shows them."""

    method: str
    path: str
    body: dict[str, Any] | None
    status: int
    answer: dict[str, Any]
    shows_status: bool = False
    shows_answer: bool = True

    @property
    def sent(self) -> Sent:
        body, headers = "", KEY
        if self.body is not None:
            body, headers = json.dumps(self.body, indent=2), KEY | JSON
        return Sent(self.method, self.path, headers, body)


# In the order of the document. A new goal has an id of its own: "…".
EXAMPLES = [
    Example(
        "POST",
        GOALS,
        THANK_YOU,
        201,
        {"data": {"id": "…", **THANK_YOU, "currency": None}},
        shows_answer=False,
    ),
    Example(
        "POST",
        GOALS,
        {field: PURCHASE[field] for field in PURCHASE if field != "id"},
        201,
        {"data": {**PURCHASE, "id": "…"}},
        shows_status=True,
    ),
    Example("GET", GOALS, None, 200, {"data": [PURCHASE, NEWSLETTER, CONTACT]}),
    Example(
        "PATCH",
        f"{GOALS}/{PURCHASE['id']}",
        {"name": "Completed Purchase", "currency": "EUR"},
        200,
        {"data": {**PURCHASE, "name": "Completed Purchase", "currency": "EUR"}},
    ),
    Example(
        "DELETE",
        f"{GOALS}/{PURCHASE['id']}",
        None,
        200,
        {"data": {"deleted": True}},
        shows_status=True,
    ),
    Example(
        "GET",
        f"{GOALS}/{PURCHASE['id']}/stats?period=30d",
        None,
        200,
        {"data": {"conversions": 342, "unique_conversions": 298, "revenue": 16758.0}},
    ),
]


@pytest.fixture
def secret(site):
    """A key for the site as the document has it: three goals, 342 purchases."""
    for goal in (PURCHASE, NEWSLETTER, CONTACT):
        GoalFactory.create(site=site, **goal)
    now = datetime.now(UTC)
    events.append(
        [
            events.NewEvent(
                site_id=site.pk,
                day=now.date(),
                at=now,
                type="goal",
                name="purchase",
                visitor=number % 298,
                amount=events.to_amount(Decimal(49)),
                currency="USD",
            )
            for number in range(342)
        ]
    )
    _, secret = ApiToken.issue(
        team=site.team, name="docs", scopes=["analytics:read", "analytics:write"]
    )
    return secret


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=[f"{e.method} {e.path[len(GOALS) :]}" for e in EXAMPLES]
)
def test_example_is_answered_with_exactly_these_keys_and_values(secret, example):
    response = send(example.sent, secret)
    assert response.status_code == example.status, response.content
    assert same(example.answer, response.json()), response.content


def test_examples_work_one_after_the_other(secret):
    statuses = [send(example.sent, secret).status_code for example in EXAMPLES]
    # The goal of the last one was deleted by the one before.
    assert statuses == [201, 201, 200, 200, 200, 404]


# A curl line, and the answer that follows it before the next curl line.
_CURL = re.compile(
    r"^bash\n(curl .*?)(?=Example\b|^json\n)(.*?)(?=^bash\n|\Z)", re.S | re.M
)
_ANSWER = re.compile(r"^json\n(?:// (\d+) [^\n]*\n)?", re.M)


def documented(text: str) -> list[tuple[Sent, int | None, Any]]:
    """What is sent, the status and the answer; None where they are not shown."""
    found = []
    for curl, after in _CURL.findall(text):
        status, answer = None, None
        if shown := _ANSWER.search(after):
            status = int(shown[1]) if shown[1] else None
            answer, _ = json.JSONDecoder().raw_decode(after, shown.end())
        found.append((parse(curl.strip()), status, answer))
    return found


@pytest.mark.skipif(not DOCUMENT.exists(), reason="the owner's document is not here")
def test_table_is_that_of_the_document():
    text = DOCUMENT.read_text()
    found = documented(text)
    assert len(found) == text.count("curl ") == len(EXAMPLES)
    for example, (sent, status, answer) in zip(EXAMPLES, found, strict=True):
        assert sent._replace(body="") == example.sent._replace(body="")
        assert (json.loads(sent.body) if sent.body else None) == example.body
        assert status == (example.status if example.shows_status else None)
        assert (answer is not None) == example.shows_answer
        if example.method == "POST" and answer is not None:
            answer["data"]["id"] = "…"
        assert answer in (None, example.answer)
