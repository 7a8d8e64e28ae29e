"""The watch over statements sees those that need more than one site's partition."""

from datetime import date

import pytest
from django.db import connection

from analytics import events
from analytics.models import Event
from analytics.questions.periods import Days
from tests import partitions
from tests.halves import on_postgresql

pytestmark = [
    pytest.mark.django_db,
    on_postgresql,
]
OF_SITE = "SELECT * FROM analytics_event AS event WHERE event.site_id = 1"
JOIN = "JOIN analytics_eventname AS name ON name.id = event.name_id"


@pytest.fixture
def found(request):
    """What the watch finds in a statement that the product sends."""
    if not request.config.getoption("--partitioned"):
        partitions.rebuild()

    def found(sql):
        watch = partitions.Watch(is_products=lambda frame: True)
        with connection.execute_wrapper(watch), connection.cursor() as cursor:
            cursor.execute(sql)
        return watch.found

    return found


@pytest.mark.parametrize(
    "sql",
    [
        OF_SITE,
        f"SELECT * FROM analytics_event AS event {JOIN} AND name.site_id ="
        " event.site_id WHERE event.site_id = 1",
        f"{OF_SITE} AND name_id IN (SELECT id FROM analytics_eventname WHERE"
        " site_id = 1)",
        "UPDATE analytics_sitemonth SET version = 1 WHERE site_id = 1",
        "SELECT * FROM analytics_site",
    ],
)
def test_statement_about_one_site_passes(found, sql):
    assert found(sql) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM analytics_event WHERE id = 1",
        f"SELECT * FROM analytics_event AS event {JOIN} WHERE event.site_id = 1",
        f"{OF_SITE} AND name_id IN (SELECT id FROM analytics_eventname)",
        # What the site is, only the execution tells.
        "SELECT * FROM analytics_event WHERE site_id = (SELECT 1)",
        "UPDATE analytics_sitemonth SET version = 1",
        "DELETE FROM goals_goalmonth WHERE month = '2026-03-01'",
    ],
)
def test_statement_about_all_sites_is_found(found, sql):
    assert [text for text in found(sql) if text.startswith("needs partitions")]


@pytest.mark.parametrize(
    "sql",
    [
        f"{OF_SITE} AND site_id IN (SELECT id FROM analytics_site)",
        f"{OF_SITE} AND EXISTS (SELECT FROM goals_goal)",
    ],
)
def test_configuration_beside_facts_is_found(found, sql):
    assert [text for text in found(sql) if "beside facts" in text]


def test_only_what_the_product_sends_is_explained(site):
    watch = partitions.Watch()
    with connection.execute_wrapper(watch):
        assert list(Event.objects.all()) == []
        assert watch.explained == set()
        days = Days(date(2026, 3, 1), date(2026, 3, 2))
        assert events.standing(site.pk, closed=days).first is None
        assert len(watch.explained) == 1
