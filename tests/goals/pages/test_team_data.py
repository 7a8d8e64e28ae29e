"""Exporting a team, its deleted sites, and erasing for good, on pages."""

import json

import pytest
from django.utils.timezone import now

from analytics.models import Adjustment, Event, Role, Site, Team
from tests.factories import SiteFactory, TeamFactory, store
from tests.goals.pages.browsing import member, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(site):
    return member(site.team, "owner", Role.OWNER)


@pytest.fixture
def team(site):
    return f"/teams/{site.team_id}"


@pytest.fixture
def gone(site):
    return SiteFactory.create(team=site.team, domain="gone.example", deleted_at=now())


def test_export_is_the_file_that_can_be_imported(site, owner, team):
    store(site, "event", "signup")
    assert "1 site with its settings" in text(owner.get(f"{team}/data"))
    response = owner.post(f"{team}/export")
    assert "attachment" in response.headers["Content-Disposition"]
    lines = [json.loads(line) for line in b"".join(response).splitlines()]
    assert "manifest" in lines[0]
    assert lines[-1]["end"]["counts"]["event"] == 1


def test_deleted_site_is_restored(owner, team, gone):
    assert "gone.example" in text(owner.get(f"{team}/data"))
    path = f"{team}/deleted-sites/{gone.site_key}/restore"
    assert "gone.example was restored" in text(owner.post(path, follow=True))
    assert Site.objects.undeleted().filter(pk=gone.pk).exists()
    assert owner.post(path).status_code == 404


def test_restoring_says_why_not(site, owner, team, gone):
    SiteFactory.create(team=site.team, domain="gone.example")
    path = f"{team}/deleted-sites/{gone.site_key}/restore"
    shown = text(owner.post(path, follow=True))
    assert "another site with the domain gone.example" in shown
    assert not Site.objects.undeleted().filter(pk=gone.pk).exists()


def test_deleted_site_is_erased_by_who_types_its_domain(owner, team, gone):
    path = f"{team}/deleted-sites/{gone.site_key}/erase"
    assert "This cannot be undone." in text(owner.get(path))
    assert owner.post(path, {"confirmed": "gone"}).status_code == 422
    gone.refresh_from_db()
    assert gone.erasure_asked_at is None
    owner.post(path, {"confirmed": " Gone.example "})
    gone.refresh_from_db()
    assert gone.erasure_asked_at is not None
    assert owner.get(path).status_code == 404


def test_site_that_is_not_deleted_is_not_erased(site, owner, team):
    path = f"{team}/deleted-sites/{site.site_key}/erase"
    assert owner.post(path, {"confirmed": site.domain}).status_code == 404


def test_team_is_erased_by_who_types_its_name(site, owner, team):
    shown = text(owner.get(f"{team}/erase"))
    assert site.domain in shown
    assert owner.post(f"{team}/erase", {"confirmed": ""}).status_code == 422
    assert Team.objects.get().erasure_asked_at is None
    confirmed = {"confirmed": site.team.name}
    shown = text(owner.post(f"{team}/erase", confirmed, follow=True))
    assert "will be erased within two hours" in shown
    assert Team.objects.get().erasure_asked_at is not None
    assert owner.get(team).status_code == 404


@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR])
def test_data_is_the_owners(site, team, gone, role):
    browser = member(site.team, "other", role)
    key = gone.site_key
    for path in ("data", "erase", f"deleted-sites/{key}/erase"):
        assert browser.get(f"{team}/{path}").status_code == 403
    for path in ("export", "erase", f"deleted-sites/{key}/restore"):
        answer = browser.post(f"{team}/{path}", {"confirmed": site.team.name})
        assert answer.status_code == 403
    address = f"/sites/{site.site_key}/erase"
    assert browser.get(address).status_code == 403
    assert browser.post(address, {"events": "e1"}).status_code == 403
    assert not Team.objects.exclude(erasure_asked_at=None)


def test_stranger_finds_nothing(site, team, gone):
    stranger = member(TeamFactory.create(), "stranger", Role.OWNER)
    own = stranger.get("/account").context["memberships"][0].team_id
    key = gone.site_key
    for path in (
        f"{team}/data",
        f"{team}/erase",
        f"{team}/deleted-sites/{key}/erase",
        f"/teams/{own}/deleted-sites/{key}/erase",
        f"/sites/{site.site_key}/erase",
    ):
        assert stranger.get(path).status_code == 404
    assert stranger.post(f"{team}/export").status_code == 404
    assert stranger.post(f"/teams/{own}/deleted-sites/{key}/restore").status_code == 404


# Events of a site


@pytest.fixture
def erasing(site):
    return f"/sites/{site.site_key}/erase"


def test_events_are_erased_after_asking_again(site, owner, erasing):
    for id in ("one", "two", "three"):
        store(site, "event", "signup", event_id=id)
    form = {"events": "one\r\ntwo\r\n", "visitor_id": "", "from": "", "to": ""}
    asked = text(owner.post(erasing, form))
    assert "The 2 events with these ids" in asked
    assert Event.objects.count() == 3
    shown = text(owner.post(erasing, {**form, "confirmed": "1"}, follow=True))
    assert "2 events were erased" in shown
    assert list(Event.objects.values_list("event_id", flat=True)) == ["three"]
    assert not Adjustment.objects.exists()


def test_visitor_is_named_with_days(owner, erasing):
    form = {"visitor_id": "u-1", "from": "2026-02-01", "to": "2026-02-18"}
    asked = text(owner.post(erasing, form))
    assert "visitor “u-1” from Feb 1, 2026 to Feb 18, 2026" in asked
    shown = text(owner.post(erasing, {**form, "confirmed": "1"}, follow=True))
    assert "0 events were erased" in shown


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({}, "Send either events or a visitor_id."),
        ({"events": "a", "visitor_id": "b"}, "Send either events or a visitor_id."),
        ({"visitor_id": "b"}, "Required with a visitor_id."),
        ({"visitor_id": "b", "from": "x", "to": "2026-02-01"}, "date"),
        (
            {"visitor_id": "b", "from": "2026-02-02", "to": "2026-02-01"},
            "Must not be before from.",
        ),
    ],
)
def test_wrong_erasure_is_refused(owner, erasing, form, said):
    response = owner.post(erasing, {**form, "confirmed": "1"})
    assert response.status_code == 422
    assert said in text(response)
