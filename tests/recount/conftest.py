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
