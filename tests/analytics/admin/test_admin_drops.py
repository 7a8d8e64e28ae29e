"""Drops in the admin: read-only, over all sites, and every query bounded."""

from datetime import date

import pytest

from analytics.admin.read_only import address
from analytics.ingest import drops
from analytics.ingest.pipeline import Dropped
from analytics.models import DropCount
from tests.analytics.admin.client import superuser, url
from tests.queries import captured_queries

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


@pytest.fixture
def operator(db):
    return superuser()


@pytest.fixture
def rows(operator):
    """What the list shows, from its top."""

    def rows(**query):
        page = operator.get(url("dropcount", "changelist"), query)
        assert page.status_code == 200
        return [
            (str(drop.day), drop.site_id, drop.rule, drop.count)
            for drop in page.context["cl"].result_list
        ]

    return rows


def test_drops_are_read_only(operator):
    drops.count([Dropped(0, MONDAY, "unknown_site")])
    drop = DropCount.objects.get()
    form = {"count": 5}
    assert operator.get(url("dropcount", "change", address(drop))).status_code == 200
    assert operator.get(url("dropcount", "add")).status_code == 403
    assert operator.post(url("dropcount", "add"), form).status_code == 403
    changed = operator.post(url("dropcount", "change", address(drop)), form)
    assert changed.status_code == 403
    deleted = operator.post(url("dropcount", "delete", address(drop)), {"post": "yes"})
    assert deleted.status_code == 403
    assert DropCount.objects.get().count == 1


def test_drop_is_shown_with_its_site_and_team(operator, site):
    drops.count([Dropped(site.pk, MONDAY, "crawler")] * 1_234)
    page = operator.get(url("dropcount", "changelist")).content.decode()
    for text in ("March 2, 2026", f"example.com, {site.team}", "crawler", "1234"):
        assert text in page
    assert "unknown site key" not in page


def test_drop_without_a_site_says_so(operator):
    drops.count([Dropped(0, MONDAY, "unknown_site")])
    page = operator.get(url("dropcount", "changelist")).content.decode()
    assert "unknown site key" in page


def test_drops_are_listed_newest_first_and_filtered(rows, site):
    monday = ("2026-03-02", site.pk, "crawler", 2)
    tuesday = ("2026-03-03", site.pk, "crawler", 1)
    nowhere = ("2026-03-02", 0, "unknown_site", 1)
    drops.count([Dropped(site.pk, MONDAY, "crawler")] * 2)
    drops.count([Dropped(site.pk, TUESDAY, "crawler")])
    drops.count([Dropped(0, MONDAY, "unknown_site")])
    assert rows() == [tuesday, nowhere, monday]
    assert rows(site_id=site.pk) == [tuesday, monday]
    assert rows(site_id=0) == [nowhere]
    assert rows(site_id=site.pk + 1) == rows(site_id="x") == []
    assert rows(day_from="2026-03-03") == [tuesday]
    assert rows(day_to="2026-03-02", site_id=site.pk) == [monday]
    assert rows(day_from="never") == [tuesday, nowhere, monday]


@pytest.mark.parametrize("query", [{}, {"site_id": "0"}, {"day_from": "2026-03-02"}])
def test_no_query_of_the_drops_list_is_unbounded(operator, query):
    drops.count([Dropped(0, MONDAY, "unknown_site")])
    with captured_queries() as captured:
        operator.get(url("dropcount", "changelist"), {**query, "_facets": "True"})
    touching = [sql for sql in captured if 'FROM "analytics_dropcount"' in sql]
    assert touching
    for sql in touching:
        assert "COUNT" not in sql
        assert sql.endswith(" LIMIT 100")


@pytest.mark.parametrize("query", ["count__gt=1", "rule=crawler", "day=2026-03-02"])
def test_drops_are_filtered_by_nothing_else(operator, query):
    response = operator.get(f"{url('dropcount', 'changelist')}?{query}")
    assert response.status_code == 400
