"""Who asks in the recounts: a key of the team whose sites are made up."""

import pytest

from analytics.models import ApiToken
from goals.money import rates
from tests.conftest import ApiClient
from tests.factories import TeamFactory
from tests.recount.questions import RATES


@pytest.fixture
def ask(db):
    rates.store(RATES)
    _, secret = ApiToken.issue(team=TeamFactory.create(), name="r", scopes=["*"])
    return ApiClient(secret)


def pytest_terminal_summary(terminalreporter):
    """How many figures were compared, of the tests that count them."""
    properties = [
        report.user_properties for report in terminalreporter.stats.get("passed", [])
    ]
    counts = [value for own in properties for name, value in own if name == "figures"]
    if counts:
        terminalreporter.write_line(f"{sum(counts):,} figures compared")
