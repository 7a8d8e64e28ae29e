"""Every example of docs/api.md is sent and compared; paths in the docs exist."""

import json
import re
from pathlib import Path

import pytest
from django.test import Client

from analytics.models import ApiToken
from tests import curl
from tests.factories import GoalFactory, store

ROOT = Path(__file__).parents[2]
GOAL = "550e8400-e29b-41d4-a716-446655440000"
_EXAMPLE = re.compile(r"```bash\n(curl .*?)```\s+```json (\d+)\n(.*?)```", re.S)


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

    return lambda sent: curl.send(sent, secret)


EXAMPLES = _EXAMPLE.findall((ROOT / "docs" / "api.md").read_text())


@pytest.mark.parametrize(("line", "status", "answer"), EXAMPLES)
def test_example_is_answered_as_written(send, line, status, answer):
    response = send(curl.parse(line))
    assert response.status_code == int(status), response.content
    assert curl.same(json.loads(answer), response.json()), response.content


def test_no_example_is_left_out():
    text = (ROOT / "docs" / "api.md").read_text()
    assert len(EXAMPLES) == text.count("curl ") == text.count("```json") > 10
