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


# Where to change what


def rows_of(heading, text):
    """The cells of the table below a heading, without the row of its titles."""
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_each_place_to_look_in_exists():
    text = (ROOT / "docs" / "development.md").read_text()
    rows = rows_of("Where to change what", text)
    assert len(rows) >= 20
    for subject, places in rows:
        paths = re.findall(r"`([^`]+)`", places)
        assert paths, subject
        # Nothing but paths in backticks, a comma between them.
        assert places == ", ".join(f"`{path}`" for path in paths)
        for path in paths:
            found = ROOT / path
            assert found.is_dir() if path.endswith("/") else found.is_file(), path
