"""What the drop rules kept out: counted with the events, told to a site's owner."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.db import connection

from analytics import events
from analytics.ingest import drops, writer
from analytics.ingest.pipeline import DROP_RULES, RULES, Dropped
from analytics.models import DropCount, DroppedHost, Event
from tests.factories import SiteFactory
from tests.queries import assert_queries, captured_queries

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
TODAY = NOW.date()
VIEW = {"type": "pageview", "url": "https://example.com/pricing"}
CRAWLER = {"User-Agent": "Googlebot/2.1"}

# For each rule a request that it drops, and none of those before it.
DROPPED: dict[str, Any] = {
    "unknown_site": {"event": {**VIEW, "site": "sk_unknownunkno"}},
    "crawler": {"event": VIEW, "headers": CRAWLER},
    "prefetch": {"event": VIEW, "headers": {"Sec-Purpose": "prefetch"}},
    "do_not_track": {"event": VIEW, "headers": {"DNT": "1"}},
    "foreign_host": {"event": {**VIEW, "url": "https://other.example/"}},
    "referrer_spam": {"event": {**VIEW, "referrer": "https://www.semalt.com/x"}},
    "excluded_ip": {"event": VIEW, "REMOTE_ADDR": "192.0.2.7"},
    "excluded_path": {"event": {**VIEW, "url": "https://example.com/admin"}},
}


@pytest.fixture
def frozen():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def site(site):
    site.excluded_ips, site.excluded_paths = ["192.0.2.7"], ["/admin"]
    site.save()
    return site


def counts():
    """Every count that is kept, by site, day and rule."""
    return {
        (row.site_id, str(row.day), row.rule): row.count
        for row in DropCount.objects.all()
    }


# What is counted


@pytest.mark.parametrize("limit", [0, 100])
@pytest.mark.parametrize("rule", [name for name, _ in DROP_RULES])
def test_rule_raises_its_own_count_and_no_other(
    frozen, track, site, settings, rule, limit
):
    settings.RATE_LIMIT_COLLECT = limit
    where = 0 if rule == "unknown_site" else site.pk
    for times in (1, 2):
        assert track(**DROPPED[rule]).json()["dropped"] == rule
        assert counts() == {(where, "2026-03-10", rule): times}


@pytest.mark.parametrize("limit", [0, 100])
def test_kept_event_raises_no_count_and_asks_for_none(track, settings, limit):
    settings.RATE_LIMIT_COLLECT = limit
    with captured_queries() as captured:
        assert track(VIEW).json()["dropped"] is None
    assert Event.objects.count() == 1
    assert any("analytics_eventname" in sql for sql in captured)
    assert not any("analytics_dropcount" in sql for sql in captured)
    assert counts() == {}


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), ({"type": "x"}, 422)])
def test_wrong_event_raises_no_count(track, settings, body, status):
    settings.RATE_LIMIT_COLLECT = 100
    assert track(body, CRAWLER).status_code == status
    assert counts() == {}


def test_request_over_its_limit_raises_no_count(frozen, track, site, settings):
    settings.RATE_LIMIT_COLLECT = 2
    answers = [track(VIEW, CRAWLER) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 429, 429]
    assert counts() == {(site.pk, "2026-03-10", "crawler"): 2}


def test_day_is_that_of_the_sites_zone_and_of_utc_without_a_site(track, site):
    site.timezone = "Europe/Berlin"
    site.save()
    # Half past midnight in Berlin.
    with time_machine.travel(datetime(2026, 2, 18, 23, 30, tzinfo=UTC), tick=False):
        track(**DROPPED["crawler"])
        track(**DROPPED["unknown_site"])
    assert counts() == {
        (site.pk, "2026-02-19", "crawler"): 1,
        (0, "2026-02-18", "unknown_site"): 1,
    }


def test_deleted_site_is_an_unknown_one(frozen, track, site):
    site.deleted_at = NOW
    site.save()
    track(VIEW)
    assert counts() == {(0, "2026-03-10", "unknown_site"): 1}


def test_several_of_a_batch_are_one_statement_and_their_sum():
    crawler, prefetch = (Dropped(1, TODAY, rule) for rule in ("crawler", "prefetch"))
    drops.count([prefetch])
    with assert_queries(2):
        drops.count([crawler, prefetch, crawler, prefetch, crawler])
    assert counts() == {
        (1, "2026-03-10", "crawler"): 3,
        (1, "2026-03-10", "prefetch"): 3,
    }


def hit(outcome, caller=None):
    return writer.Work((outcome,), caller)


def view(site):
    return events.NewEvent(site.pk, TODAY, NOW, "pageview", "/", visitor=1)


def test_batch_counts_its_drops_last_and_in_order(site, settings):
    """As every batch does: so that no two can wait for each other."""
    settings.RATE_LIMIT_COLLECT = 100
    two, one = (Dropped(number, TODAY, "crawler") for number in (2, 1))
    with captured_queries() as captured:
        writer._store(
            [hit(two, "a"), hit(view(site), "a"), hit(one, "a")], wait_seconds=None
        )
    tables = ("ratewindow", "eventname", "context", "dropcount")
    touched = [
        table
        for sql in captured
        for table in tables
        if f"INTO analytics_{table}" in sql.replace('"', "")
    ]
    assert touched == ["ratewindow", "eventname", "context", "dropcount", "dropcount"]
    raised = [sql for sql in captured if "analytics_dropcount" in sql]
    assert ["(1, " in sql for sql in raised] == [True, False]
    assert (Event.objects.count(), len(counts())) == (1, 2)


@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="one writer at a time, and in memory here"
)
@pytest.mark.django_db(transaction=True)
def test_batches_at_once_lose_no_count_and_do_not_wait_in_a_cycle(site):
    other = SiteFactory.create()
    dropped = [Dropped(to.pk, TODAY, rule) for to in (site, other) for rule in DROPPED]
    # No lock of a site keeps these apart, and each pair goes opposite ways.
    batches = [
        [hit(outcome) for outcome in (*kept, *ordered)]
        for kept in ((), (view(site),), (view(other),))
        for ordered in (dropped, dropped[::-1])
    ]
    failures = []

    def write(batch):
        try:
            for _ in range(10):
                writer._store(batch, wait_seconds=10)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(batch,)) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert Event.objects.count() == 40
    assert set(counts().values()) == {60}
    assert len(counts()) == len(dropped)


def test_counts_hold_over_all_processes(service):
    key = service.new_site()
    event = {"site": key, "type": "pageview", "url": "/"}

    def collect_one(_):
        return service("POST", "/collect", event, User_Agent="Googlebot/2.1").status

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(collect_one, range(80))) == {202}
    told = service("GET", f"/sites/{key}/drops").json()["data"]["drops"]
    assert {row["rule"]: row["count"] for row in told if row["count"]} == {
        "crawler": 80
    }


# What an owner is told


@pytest.fixture
def ask(frozen, reader, site):
    def ask(**parameters):
        path = f"/sites/{site.site_key}/drops?{urlencode(parameters)}"
        response = reader("GET", path, queries=5)
        assert response.status_code == 200, response.content
        return response.json()["data"]

    return ask


def raised(answer):
    return {row["rule"]: row["count"] for row in answer["drops"] if row["count"]}


def test_every_rule_of_a_site_is_told_in_order_with_zeros(ask, track):
    for rule, request in DROPPED.items():
        if rule in ("unknown_site", "crawler", "excluded_path"):
            track(**request)
    track(**DROPPED["excluded_path"])
    assert ask() == {
        "period": {"from": "2026-02-08", "to": "2026-03-10"},
        "drops": [
            {"rule": "crawler", "count": 1},
            {"rule": "prefetch", "count": 0},
            {"rule": "do_not_track", "count": 0},
            {"rule": "foreign_host", "count": 0},
            {"rule": "referrer_spam", "count": 0},
            {"rule": "excluded_ip", "count": 0},
            {"rule": "excluded_path", "count": 2},
            {"rule": "sealed_day", "count": 0},
        ],
        "foreign_hosts": [],
        "folded": [
            {"kind": "paths", "count": 0},
            {"kind": "names", "count": 0},
            {"kind": "labels", "count": 0},
        ],
    }


def test_days_of_a_period_are_summed_both_ends_included(ask, site):
    for day in (1, 2, 2, 3, 4, 5):
        drops.count([Dropped(site.pk, date(2026, 3, day), "crawler")])
    custom = {"period": "custom", "from": "2026-03-02", "to": "2026-03-04"}
    answer = ask(**custom)
    assert answer["period"] == {"from": "2026-03-02", "to": "2026-03-04"}
    assert raised(answer) == {"crawler": 4}


@pytest.mark.parametrize(
    ("parameters", "first"),
    [
        ({}, "2026-02-09"),
        ({"period": "7d"}, "2026-03-04"),
        ({"period": "12mo"}, "2025-03-11"),
    ],
)
def test_period_ends_today_in_the_sites_zone(ask, site, parameters, first):
    site.timezone = "Pacific/Kiritimati"
    site.save()
    drops.count([Dropped(site.pk, date(2026, 3, 11), "crawler")])
    answer = ask(**parameters)
    assert answer["period"] == {"from": first, "to": "2026-03-11"}
    assert raised(answer) == {"crawler": 1}


def test_other_sites_and_no_site_do_not_count(ask, site, strangers_site):
    for where in (strangers_site.pk, SiteFactory.create(team=site.team).pk, 0):
        drops.count([Dropped(where, TODAY, "crawler")])
    assert raised(ask()) == {}


def test_another_teams_site_does_not_exist(stranger, site):
    drops.count([Dropped(site.pk, TODAY, "crawler")])
    response = stranger("GET", f"/sites/{site.site_key}/drops")
    assert (response.status_code, response.json()) == (404, {"error": "Not found"})


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        ({"period": "month"}, "period"),
        ({"from": "2026-03-01"}, "from"),
        ({"period": "custom", "from": "2026-03-01"}, "to"),
        ({"period": "custom", "from": "2026-03-02", "to": "2026-03-01"}, "to"),
        ({"country": "DE"}, "country"),
        ({"rule": "crawler"}, "rule"),
    ],
)
def test_wrong_parameter_is_422(reader, site, parameters, wrong):
    path = f"/sites/{site.site_key}/drops?{urlencode(parameters)}"
    response = reader("GET", path)
    assert response.status_code == 422
    assert list(response.json()["details"]) == [wrong]


def test_every_rule_of_a_site_is_explained(ask):
    text = (ROOT / "docs" / "site-stats.md").read_text()
    rules = {row["rule"] for row in ask()["drops"]}
    assert rules == {*RULES} - {"unknown_site"}
    for rule in rules:
        assert re.search(f"^\\| .*`{rule}`.* \\|", text, re.M), rule


# Which hosts are foreign


def from_page_of(host):
    return {"event": {**VIEW, "url": f"https://{host}/"}}


def hosts(answer):
    return [(each["host"], each["count"]) for each in answer["foreign_hosts"]]


def test_foreign_hosts_are_named_the_most_frequent_first(track, ask):
    for host in ("b.example", "A.example.", "a.example:8443"):
        track(**from_page_of(host))
    track(**{"event": {**VIEW, "url": "file:///home/ada/page.html"}})
    answer = ask()
    assert hosts(answer) == [("a.example", 2), ("b.example", 1)]
    assert {"rule": "foreign_host", "count": 4} in answer["drops"]


def test_hosts_of_other_drops_are_not_kept(track, ask):
    track(event={**VIEW, "url": "https://other.example/"}, headers=CRAWLER)
    assert hosts(ask()) == []


def test_a_day_keeps_so_many_hosts(site, ask, monkeypatch):
    monkeypatch.setattr(drops, "MAX_HOSTS", 2)

    def drop(*names, day=TODAY):
        drops.count([Dropped(site.pk, day, "foreign_host", name) for name in names])

    drop("a.example", "b.example", "b.example", "c.example")
    drop("d.example")
    drop("a.example")
    # Those that are known go on being counted, and another day has its own.
    assert sorted(hosts(ask())) == [("a.example", 2), ("b.example", 2)]
    drop("e.example", day=date(2026, 3, 9))
    assert DroppedHost.objects.count() == 3


def test_hosts_are_forgotten_after_a_while(site):
    for day in (date(2026, 1, 1), TODAY):
        drops.count([Dropped(site.pk, day, "foreign_host", "a.example")])
    assert [row.day for row in DroppedHost.objects.all()] == [TODAY]
