"""Every example of docs/api.md, and the owner's own, is sent and compared."""

import json
import re
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest
from django.test import Client

from analytics.models import ApiToken
from tests.factories import GoalFactory, store

ROOT = Path(__file__).parents[2]
OWNERS = ROOT.parent / "shared" / "seeds" / "goals-api.txt"
GOAL = "550e8400-e29b-41d4-a716-446655440000"
_EXAMPLE = re.compile(r"```bash\n(curl .*?)```\s+```json (\d+)\n(.*?)```", re.S)


class Sent(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: str


def parse(curl):
    """What a curl line sends; every word of it must be understood."""
    words = shlex.split(curl.replace("\\\n", " "))[1:]
    method, headers, body, url = None, {}, "", ""
    while words:
        match words.pop(0):
            case "-X":
                method = words.pop(0)
            case "-H":
                name, _, value = words.pop(0).partition(": ")
                headers[name] = value
            case "-d":
                body = words.pop(0)
            case word:
                url = word
    path = "/" + url.split("/", 3)[3]
    return Sent(method or ("POST" if body else "GET"), path, headers, body)


def same(expected, found):
    """Whether an answer is the expected one, "…" standing for anything."""
    if expected == "…":
        return found is not None
    if isinstance(expected, dict):
        return list(expected) == list(found) and all(
            same(expected[key], found[key]) for key in expected
        )
    if isinstance(expected, list):
        return len(expected) == len(found) and all(map(same, expected, found))
    return expected == found


@pytest.fixture
def send(site):
    GoalFactory.create(
        id=GOAL,
        site=site,
        name="Purchase",
        type="custom",
        match_value="purchase",
        currency="USD",
    )
    for visitor in (1, 2):
        store(site, "goal", "purchase", visitor=visitor, amount=49_9900, currency="USD")
    crawled = {"site": site.site_key, "type": "pageview", "url": "/"}
    Client(headers={"User-Agent": "Googlebot/2.1"}).post(
        "/api/v1/analytics/collect", crawled, content_type="application/json"
    )
    _, secret = ApiToken.issue(team=site.team, name="docs", scopes=["*"])

    def send(sent):
        headers = {
            name: value.replace("YOUR_API_TOKEN", secret)
            for name, value in sent.headers.items()
        }
        kind = headers.pop("Content-Type", "text/plain")
        return Client(headers=headers).generic(
            sent.method, sent.path, sent.body.encode(), kind
        )

    return send


EXAMPLES = _EXAMPLE.findall((ROOT / "docs" / "api.md").read_text())


@pytest.mark.parametrize(("curl", "status", "answer"), EXAMPLES)
def test_example_is_answered_as_written(send, curl, status, answer):
    response = send(parse(curl))
    assert response.status_code == int(status), response.content
    assert same(json.loads(answer), response.json()), response.content


def test_no_example_is_left_out():
    text = (ROOT / "docs" / "api.md").read_text()
    assert len(EXAMPLES) == text.count("curl ") == text.count("```json") > 10


@pytest.mark.skipif(not OWNERS.exists(), reason="the owner's document is not here")
def test_owners_curl_lines_work_as_they_stand(send):
    curls = re.findall(
        r"^bash\n(curl .*?)(?:Example|^json)", OWNERS.read_text(), re.S | re.M
    )
    answers = []
    for curl in curls:
        sent = parse(curl.strip())
        # The owner's base is https://app.krafter.dev/api/v1/analytics.
        assert sent.path.startswith("/api/v1/analytics/sites/sk_abc123def456/goals")
        answers.append((sent.method, send(sent)))
    assert [(method, r.status_code) for method, r in answers] == [
        ("POST", 201),
        ("POST", 201),
        ("GET", 200),
        ("PATCH", 200),
        ("DELETE", 200),
        # Its goal was deleted by the line before.
        ("GET", 404),
    ]
    changed = answers[3][1].json()["data"]
    assert (changed["name"], changed["currency"]) == ("Completed Purchase", "EUR")
    assert answers[4][1].json() == {"data": {"deleted": True}}
