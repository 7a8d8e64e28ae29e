"""Every example of docs/sources.md is asked of the demo's month."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from django.core.management import call_command

from analytics.models import Site
from goals.demo import live
from goals.models import Goal
from tests import curl

NOW = datetime(2026, 3, 31, 20, tzinfo=UTC)
TEXT = (Path(__file__).parents[3] / "docs" / "sources.md").read_text()
EXAMPLES = re.findall(r"```bash\n(curl .*?)```\s+```json\n(.*?)```", TEXT, re.S)


@pytest.fixture
def ask(db, client_with):
    with time_machine.travel(NOW, tick=False):
        call_command("demo", verbosity=0)
        site = Site.objects.get(site_key=live.SITE_KEY)
        reader = client_with(site.team, "analytics:read")
        goal = Goal.objects.get(site=site, name="Purchase")

        def ask(line):
            sent = curl.parse(line.replace("GOAL_ID", str(goal.pk)))
            path = sent.path.removeprefix("/api/v1/analytics")
            response = reader(sent.method, path)
            assert response.status_code == 200, response.content
            return response.json()

        yield ask


def test_examples_are_answered_as_written(ask):
    """In one test: the month is made once."""
    for line, answer in EXAMPLES:
        found = ask(line)
        assert curl.same(json.loads(answer), found), (line, json.dumps(found))


def test_there_is_an_example_for_each_question():
    assert len(EXAMPLES) == TEXT.count("curl ") >= TEXT.count("\n### ") == 5
