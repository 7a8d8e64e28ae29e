"""What is erased is gone, numbers follow, and the trail says that it was."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.core.management import CommandError, call_command

from analytics import events
from analytics.events import NewRefund, removal
from analytics.ingest import visitors
from analytics.lifecycle import erasure
from analytics.models import (
    Adjustment,
    ApiToken,
    AuditEntry,
    Context,
    Event,
    EventName,
    OfOneSite,
    Site,
    Team,
)
from tests.factories import GoalFactory, SiteFactory, store

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def goal(site):
    """An order on each of 40 days up to today, of one visitor each; a refund."""
    for number in range(40):
        at = NOW - timedelta(days=number)
        who = visitors.known_visitor(site, at.date(), f"customer {number % 2}")
        store(
            site,
            "goal",
            "buy",
            at=at,
            visitor=who,
            amount=10_0000,
            event_id=f"order {number}",
        )
    at = NOW - timedelta(days=10)
    refund = NewRefund(at.date(), at, "order 20", 4_0000, event_id="r")
    assert events.refund(site.pk, [refund])[0].is_new
    return GoalFactory.create(
        site=site, type="custom", match_value="buy", currency="EUR"
    )


@pytest.fixture
def stats(owner, site, goal):
    def stats():
        path = f"/sites/{site.site_key}/goals/{goal.pk}/stats?period=12mo"
        return owner("GET", path).json()["data"]

    return stats


def erase(owner, site, **sent):
    return owner("POST", f"/sites/{site.site_key}/erase", sent)


def test_events_by_id_are_gone_from_every_number(owner, site, stats):
    assert stats() == {"conversions": 40, "unique_conversions": 40, "revenue": 396}
    # Of today, of yesterday, of days that are kept; a refund goes with its event.
    ids = ["order 0", "order 1", "order 20", "order 39", "nothing"]
    answer = erase(owner, site, events=ids)
    assert answer.json() == {"data": {"events": 4, "refunds": 1}}
    assert stats() == {"conversions": 36, "unique_conversions": 36, "revenue": 360}
    assert not Event.objects.filter(event_id__in=ids).exists()
    assert not Adjustment.objects.exists()
    # Once more there is nothing to erase.
    assert erase(owner, site, events=ids).json()["data"]["events"] == 0
    assert stats()["conversions"] == 36
    # What comes later counts, today too.
    store(site, "goal", "buy", at=NOW, visitor=7)
    assert stats()["conversions"] == 37


def test_a_visitor_is_gone_on_the_days(owner, site, stats):
    before = stats()["conversions"]
    sent = {"visitor_id": "customer 0", "from": "2026-04-21", "to": "2026-05-20"}
    answer = erase(owner, site, **sent)
    # Every second of 30 days.
    assert answer.json() == {"data": {"events": 15, "refunds": 1}}
    assert stats()["conversions"] == before - 15
    assert erase(owner, site, **sent).json() == {"data": {"events": 0, "refunds": 0}}
    sent["visitor_id"] = "nobody"
    assert erase(owner, site, **sent).json() == {"data": {"events": 0, "refunds": 0}}


def test_another_site_is_left_alone(owner, site, goal, strangers_site):
    store(strangers_site, "goal", "buy", at=NOW, event_id="order 0")
    erase(owner, site, events=["order 0"])
    assert Event.objects.filter(site_id=strangers_site.pk).count() == 1
    assert erase(owner, strangers_site, events=["order 0"]).status_code == 404


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "events"),
        ({"events": ["a"], "visitor_id": "b"}, "events"),
        ({"events": []}, "events"),
        ({"events": ["a"] * 1_001}, "events"),
        ({"events": ["a" * 65]}, "events.0"),
        ({"visitor_id": "a"}, "from"),
        ({"visitor_id": "a", "from": "2026-01-02", "to": "2026-01-01"}, "to"),
        ({"visitor_id": "a", "from": "2025-01-01", "to": "2026-01-02"}, "to"),
        ({"visitor_id": "a", "from": "x", "to": "2026-01-02"}, "from"),
        ({"events": ["a"], "more": 1}, "more"),
        ({"events": ["a"], "from": "2026-01-01"}, "from"),
        ({"events": ["a"], "to": "2026-01-01"}, "to"),
        ({"from": "2026-01-01", "to": "2026-01-02"}, "events"),
    ],
)
def test_a_wrong_wish_is_named(owner, site, sent, field):
    answer = erase(owner, site, **sent)
    assert answer.status_code == 422
    assert field in answer.json()["details"]


def test_the_trail_says_how_many_and_not_whose(owner, site, goal):
    erase(owner, site, events=["order 1"])
    sent = {"visitor_id": "customer 0", "from": "2026-05-01", "to": "2026-05-20"}
    erase(owner, site, **sent)
    found = AuditEntry.objects.filter(action__endswith=".erased").order_by("pk")
    assert [(e.action, e.site_key) for e in found] == [
        ("events.erased", site.site_key),
        ("visitor.erased", site.site_key),
    ]
    assert found[0].changes["events"] == [1, 0]
    assert found[1].changes["events"][0] > 5
    assert "customer" not in str([entry.changes for entry in found])


def test_receipts_of_many_ids_add_up(owner, site, goal, monkeypatch):
    monkeypatch.setattr(erasure, "_IDS", 2)
    erase(owner, site, events=[f"order {number}" for number in range(5)])
    found = AuditEntry.objects.filter(action="events.erased")
    assert sum(entry.changes["events"][0] for entry in found) == 5


def test_what_found_nothing_has_a_receipt_too(owner, site, goal):
    days = {"from": "2026-04-01", "to": "2026-05-20"}
    erase(owner, site, visitor_id="nobody", **days)
    erase(owner, site, events=["nothing"])
    found = AuditEntry.objects.filter(action__endswith=".erased").order_by("pk")
    assert [(entry.action, entry.changes["events"]) for entry in found] == [
        ("visitor.erased", [0, 0]),
        ("events.erased", [0, 0]),
    ]


def rows_of(site):
    """How many rows a site has in each table, where it has any."""
    tables: list[Any] = [m for m in apps.get_models() if issubclass(m, OfOneSite)]
    numbers = {t.__name__: t.objects.filter(site_id=site.pk).count() for t in tables}
    return {name: number for name, number in numbers.items() if number}


def test_a_site_is_erased_with_all_it_has(site, goal, stats, strangers_site):
    stats()
    store(strangers_site, "goal", "buy", at=NOW)
    assert {"Event", "EventName", "Context", "LateDay"} <= rows_of(site).keys()
    out = io.StringIO()
    call_command("erase", "--site", site.site_key, "--yes", stdout=out)
    assert "erased, 41 events and refunds" in out.getvalue()
    assert rows_of(site) == {}
    assert list(Site.objects.all()) == [strangers_site]
    assert rows_of(strangers_site)["Event"] == 1
    entry = AuditEntry.objects.get(action="site.erased")
    assert (entry.site_key, entry.changes["facts"]) == (site.site_key, [41, 0])


def test_an_erasure_that_was_killed_goes_on(site, goal, monkeypatch):
    monkeypatch.setattr(removal, "BATCH", 1)
    real = removal.delete_day
    calls = []

    def dies(*args, **options):
        calls.append(args)
        if len(calls) % 9 == 0:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(removal, "delete_day", dies)
    for _ in range(20):
        try:
            erasure.site(site)
            break
        except KeyboardInterrupt:
            # Half of a site is nobody's.
            assert not Site.objects.undeleted().exists()
    assert len(calls) > 40
    assert rows_of(site) == {}
    assert not Site.objects.exists()


def test_a_deleted_site_is_erased_at_the_end_of_its_period(owner, site, goal, settings):
    owner("DELETE", f"/sites/{site.site_key}")
    with time_machine.travel(NOW + timedelta(days=29), tick=False):
        erasure.erase_due()
        assert Site.objects.filter(pk=site.pk).exists()
    with time_machine.travel(NOW + timedelta(days=31), tick=False):
        settings.SITE_DELETION_DAYS = 0
        erasure.erase_due()
        assert Site.objects.filter(pk=site.pk).exists()
        settings.SITE_DELETION_DAYS = 30
        out = io.StringIO()
        call_command("erase", "--due", stdout=out)
        assert site.site_key in out.getvalue()
    assert not Site.objects.exists()
    assert rows_of(site) == {}


def test_a_deleted_site_is_restored_until_then(owner, site, goal, stats, reader):
    before = stats()
    owner("DELETE", f"/sites/{site.site_key}")
    path = "/deleted-sites"
    [shown] = owner("GET", path).json()["data"]
    assert shown["site_key"] == site.site_key
    assert reader("GET", path).status_code == 403
    answer = owner("POST", f"{path}/{site.site_key}/restore")
    assert answer.json()["data"] == shown
    assert stats() == before
    assert owner("GET", path).json()["data"] == []
    assert owner("POST", f"{path}/{site.site_key}/restore").status_code == 404


@pytest.mark.parametrize("way", ["service", "command"])
def test_a_site_is_not_erased_that_was_restored_while_others_were(
    owner, site, goal, monkeypatch, way
):
    """Erasing a large site takes hours; the list of what is due is of before."""
    first = SiteFactory.create(team=site.team, domain="first.example")
    owner("DELETE", f"/sites/{first.site_key}")
    owner("DELETE", f"/sites/{site.site_key}")
    # Those that are due are erased in the order of their keys.
    early, late = sorted((first, site), key=lambda each: each.pk)
    real = erasure.site

    def slow(each, **options):
        if each.pk == early.pk:
            answer = owner("POST", f"/deleted-sites/{late.site_key}/restore")
            assert answer.status_code == 200
            # What is begun is nobody's any more.
            begun = owner("POST", f"/deleted-sites/{early.site_key}/restore")
            assert begun.status_code == 404
        return real(each, **options)

    monkeypatch.setattr(erasure, "site", slow)
    with time_machine.travel(NOW + timedelta(days=31), tick=False):
        if way == "service":
            erasure.erase_due()
        else:
            call_command("erase", "--due", stdout=io.StringIO())
    assert list(Site.objects.all()) == [late]
    assert Site.objects.undeleted().get() == late


def test_a_domain_that_was_taken_meanwhile_is_in_the_way(owner, site):
    owner("DELETE", f"/sites/{site.site_key}")
    SiteFactory.create(team=site.team, domain=site.domain)
    answer = owner("POST", f"/deleted-sites/{site.site_key}/restore")
    assert answer.status_code == 422
    assert "domain" in answer.json()["details"]


def test_a_key_of_some_sites_restores_none(site, client_with):
    narrowed = client_with(site.team, "*", sites=[site])
    assert narrowed("GET", "/deleted-sites").status_code == 403


def test_a_team_is_erased_with_its_sites_and_keys(site, goal, owner, strangers_site):
    other = SiteFactory.create(team=site.team, domain="other.example")
    store(other, "event", "a", at=NOW)
    call_command("erase", "--team", site.team.name, "--yes", stdout=io.StringIO())
    assert list(Team.objects.all()) == [strangers_site.team]
    assert list(Site.objects.all()) == [strangers_site]
    assert not ApiToken.objects.exists()
    assert rows_of(site) == rows_of(other) == {}
    assert AuditEntry.objects.filter(action="team.erased").exists()


def test_the_command_erases_events_and_visitors(site, goal):
    def run(*arguments):
        out = io.StringIO()
        call_command("erase", "--site", site.site_key, *arguments, stdout=out)
        return out.getvalue()

    assert "2 events and 0 refunds" in run("--event", "order 1", "--event", "order 2")
    text = run("--visitor", "customer 1", "--from", "2026-05-01", "--to", "2026-05-20")
    assert "9 events and 0 refunds" in text
    with pytest.raises(CommandError, match="needs --from and --to"):
        run("--visitor", "customer 1")
    with pytest.raises(CommandError, match="--event or --visitor"):
        run("--visitor", "a", "--event", "b")


def test_the_command_asks_first(site, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda question: "n")
    with pytest.raises(CommandError, match="Nothing was erased"):
        call_command("erase", "--site", site.site_key)
    with pytest.raises(CommandError, match="No site has the key"):
        call_command("erase", "--site", "sk_x", "--yes")
    assert Site.objects.filter(pk=site.pk).exists()


def test_names_and_labels_go_with_their_site(site, goal):
    erasure.site(site)
    assert not EventName.objects.exists()
    assert not Context.objects.exists()


def test_a_deleted_site_is_erased_when_its_owner_asks(owner, site, goal, reader):
    path = f"/deleted-sites/{site.site_key}"
    assert owner("POST", f"{path}/erase").status_code == 404
    owner("DELETE", f"/sites/{site.site_key}")
    assert reader("POST", f"{path}/erase").status_code == 403
    answer = owner("POST", f"{path}/erase")
    assert answer.status_code == 202
    assert answer.json()["data"]["erasure_asked_at"] == "2026-05-20T12:00:00Z"
    # From here on nobody restores it.
    assert owner("POST", f"{path}/restore").status_code == 404
    assert owner("POST", f"{path}/erase").status_code == 404
    assert owner("GET", "/deleted-sites").json()["data"] == []
    erasure.erase_due()
    assert rows_of(site) == {}
    assert not Site.objects.filter(pk=site.pk).exists()
    actions = AuditEntry.objects.filter(site_key=site.site_key)
    assert {"site.erasure_asked", "site.erased"} <= {entry.action for entry in actions}


def test_a_team_is_erased_when_its_owner_asks(
    owner, site, goal, strangers_site, stranger, client_with, django_user_model
):
    member = django_user_model.objects.create_user("member")
    site.team.memberships.create(user=member, role="owner")
    erase_path = "/api/v1/team/erase"
    for wrong in ({}, {"confirm": "yes"}, {"confirm": "erase", "more": 1}):
        assert owner("POST", erase_path, wrong).status_code == 422
    narrowed = client_with(site.team, "*", sites=[site])
    assert narrowed("POST", erase_path, {"confirm": "erase"}).status_code == 403
    assert owner("POST", erase_path, {"confirm": "erase"}).status_code == 202
    # At once nobody of it can do anything.
    assert owner("GET", "/sites").status_code == 401
    assert not Site.objects.undeleted().filter(team=site.team).exists()
    assert not site.team.memberships.exists()
    erasure.erase_due()
    assert list(Team.objects.all()) == [strangers_site.team]
    assert list(Site.objects.all()) == [strangers_site]
    assert rows_of(site) == {}
    assert stranger("GET", "/sites").status_code == 200
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert {"team.erasure_asked", "site.erased", "team.erased"} <= actions
    assert django_user_model.objects.filter(pk=member.pk).exists()
