"""Events in the admin: read-only, and every query bounded."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from analytics.admin.read_only import MAX_SHOWN, InfinitePaginator, address
from analytics.models import Event
from tests.analytics.admin.client import superuser, url
from tests.factories import SiteFactory, store
from tests.queries import captured_queries


@pytest.fixture
def operator(db):
    return superuser()


def test_events_are_read_only(operator, site):
    store(site, "event", "signup")
    event = Event.objects.get()
    at = address(event)
    assert operator.get(url("event", "change", at)).status_code == 200
    assert operator.get(url("event", "add")).status_code == 403
    assert operator.post(url("event", "change", at), {}).status_code == 403
    assert operator.post(url("event", "delete", at)).status_code == 403
    assert Event.objects.count() == 1


def test_event_shows_what_was_stored(operator, site):
    values = {"page": "/buy", "amount": 499_900, "currency": "USD"}
    store(site, "goal", "purchase", props={"plan": "pro"}, **values)
    page = operator.get(url("event", "change", address(Event.objects.get())))
    for text in ("purchase", "/buy", "49.99 USD", "plan", "0000000000000001"):
        assert text in page.content.decode()


def test_list_links_to_the_page_of_an_event_by_its_site(operator, site):
    store(site, "event", "signup", at=datetime(2026, 3, 1, 12, tzinfo=UTC))
    event = Event.objects.get()
    query = {"site__id__exact": site.pk}
    shown = operator.get(url("event", "changelist"), query).content.decode()
    page = url("event", "change", f"{site.pk}.2026-03-01.{event.pk}")
    assert f'href="{page}?' in shown
    with captured_queries() as captured:
        assert operator.get(page).status_code == 200
    touching = [sql for sql in captured if 'FROM "analytics_event"' in sql]
    assert len(touching) == 1
    assert f'"site_id" = {site.pk}' in touching[0]
    assert '"day" = ' in touching[0]


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            "{pk}",
            "{site}.2026-03-02.{pk}",
            "{other}.2026-03-01.{pk}",
            "x.2026-03-01.1",
        ),
        *("{site}.2026-03-99.{pk}", "{site}.2026-03-01.{pk}.1", "1.2026-03-01.1e3"),
        "{site}.2026-03-01.99999999999999999999",
    ],
)
def test_event_has_no_other_address(operator, site, strangers_site, wrong):
    store(site, "event", "signup", at=datetime(2026, 3, 1, 12, tzinfo=UTC))
    pk = Event.objects.get().pk
    at = wrong.format(pk=pk, site=site.pk, other=strangers_site.pk)
    assert operator.get(url("event", "change", at)).status_code == 404


def test_events_of_the_first_site_are_shown_at_first(operator, site, strangers_site):
    store(site, "event", "mine")
    store(strangers_site, "event", "other")
    page = operator.get(url("event", "changelist"), follow=True)
    assert page.redirect_chain[0][0].endswith(f"?site__id__exact={site.pk}")
    assert names(page) == ["mine"]


def names(page):
    return [event.name.name for event in page.context["cl"].result_list]


def test_events_are_listed_newest_first_and_filtered(operator, site):
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for day, (type_, name) in enumerate(
        [("event", "old"), ("goal", "buy"), ("event", "new")]
    ):
        store(site, type_, name, at=start + timedelta(days=day))

    def listed(**query):
        query = {"site__id__exact": site.pk, **query}
        return names(operator.get(url("event", "changelist"), query))

    assert listed() == ["new", "buy", "old"]
    assert listed(type="event") == ["new", "old"]
    assert listed(day_from="2026-03-02", day_to="2026-03-02") == ["buy"]
    assert listed(day_to="2026-03-02", type="event") == ["old"]
    assert listed(day_from="0001-01-01", day_to="9999-12-31") == ["new", "buy", "old"]
    assert listed(day_from="never") == ["new", "buy", "old"]


def test_day_of_an_event_is_that_of_its_site(operator):
    site = SiteFactory.create(timezone="Pacific/Kiritimati")
    store(site, "event", "early", at=datetime(2026, 3, 1, 10, tzinfo=UTC))
    query = {"site__id__exact": site.pk, "day_from": "2026-03-02"}
    assert names(operator.get(url("event", "changelist"), query)) == ["early"]


@pytest.mark.parametrize("query", [{}, {"type": "goal"}, {"day_from": "2026-01-01"}])
def test_no_query_of_the_events_list_is_unbounded(operator, site, query):
    store(site, "goal", "buy")
    query = {"site__id__exact": site.pk, **query}
    with captured_queries() as captured:
        operator.get(url("event", "changelist"), {**query, "_facets": "True"})
    touching = [sql for sql in captured if 'FROM "analytics_event"' in sql]
    assert touching
    for sql in touching:
        assert "COUNT" not in sql
        assert re.search(r" LIMIT (100|1 OFFSET 9999)$", sql)
        assert f'"site_id" = {site.pk}' in sql


@pytest.mark.parametrize("query", ["amount__gt=1", "visitor=1", "name__name=x"])
def test_events_are_filtered_by_nothing_else(operator, site, query):
    address = f"{url('event', 'changelist')}?site__id__exact={site.pk}&{query}"
    response = operator.get(address)
    assert response.status_code == 400


@pytest.mark.parametrize("query", ["amount__gt=1", "name__name__startswith=x"])
def test_wrong_filter_is_refused_before_a_site_is_chosen(operator, site, query):
    page = url("event", "changelist")
    assert operator.get(f"{page}?{query}").status_code == 400
    assert operator.get(f"{page}?type=goal&p=1").status_code == 302


def test_newest_events_only_are_looked_through_for_a_type(operator, site, monkeypatch):
    monkeypatch.setattr("analytics.admin.events.MAX_SHOWN", 1)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    store(site, "goal", "old", at=start)
    store(site, "event", "new", at=start + timedelta(days=1))
    query = {"site__id__exact": site.pk, "type": "goal"}
    assert names(operator.get(url("event", "changelist"), query)) == []
    query["day_to"] = "2026-03-01"
    assert names(operator.get(url("event", "changelist"), query)) == ["old"]


def test_paging_of_events_ends(operator, site):
    store(site, "event", "x")
    query = {"site__id__exact": site.pk, "p": "999999999"}
    assert operator.get(url("event", "changelist"), query).status_code == 200
    assert InfinitePaginator([], 100).num_pages == MAX_SHOWN // 100


def test_events_page_works_without_a_site(operator):
    assert operator.get(url("event", "changelist")).status_code == 200
