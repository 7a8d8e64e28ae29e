"""API keys on the pages of a team."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from analytics.models import ApiToken, AuditEntry, Role
from tests.factories import SiteFactory, TeamFactory
from tests.goals.pages.browsing import POLICY, member, text

pytestmark = pytest.mark.django_db

SECRET = re.compile(r"kr_live_[A-Za-z0-9_-]{43}")


@pytest.fixture
def owner(site):
    return member(site.team, "owner", Role.OWNER)


@pytest.fixture
def address(site):
    return f"/teams/{site.team_id}/keys"


def key_of(team, name="report", **values):
    return ApiToken.issue(team=team, name=name, scopes=["analytics:read"], **values)


def secret_of(response):
    return SECRET.findall(response.content.decode())[0]


def asks(client, secret, site):
    """The status of a request with the key."""
    path = f"/api/v1/analytics/sites/{site.site_key}"
    return client.get(path, headers={"Authorization": f"Bearer {secret}"}).status_code


def test_issued_key_is_shown_once_and_works(site, owner, address, client):
    form = {"name": "report", "scopes": ["analytics:read"], "last_day": "2099-12-31"}
    response = owner.post(address, form)
    secret = secret_of(response)
    assert "no-store" in response.headers["Cache-Control"]
    assert response.headers["Content-Security-Policy"] == POLICY
    assert asks(client, secret, site) == 200
    key = ApiToken.objects.get()
    assert (key.name, key.scopes, key.made_by) == ("report", form["scopes"], "owner")
    assert key.expires_at == datetime(2100, 1, 1, tzinfo=UTC)
    assert not key.is_narrowed
    shown = text(owner.get(address))
    assert "report" in shown
    assert key.key_prefix in shown
    assert not SECRET.search(shown)
    assert secret not in str(AuditEntry.objects.values())


def test_key_is_narrowed_to_sites(site, owner, address, client):
    other = SiteFactory.create(team=site.team, domain="other.example")
    form = {"name": "x", "scopes": ["analytics:read"], "sites": [other.site_key]}
    secret = secret_of(owner.post(address, form))
    assert asks(client, secret, other) == 200
    assert asks(client, secret, site) == 404
    assert "other.example" in text(owner.get(address))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": ""}, "may not be blank"),
        ({"scopes": []}, "may not be empty"),
        ({"scopes": ["*", "tokens:read"]}, "Choose either * alone"),
        ({"scopes": ["everything"]}, "not one of the available choices"),
        ({"last_day": "2001-01-01"}, "Must be in the future."),
        ({"last_day": "soon"}, "Enter a valid date."),
        ({"sites": ["sk_unknownunkno"]}, "not one of the available choices"),
    ],
)
def test_wrong_key_is_refused(owner, address, wrong, said):
    form = {"name": "x", "scopes": ["analytics:read"], **wrong}
    response = owner.post(address, form)
    assert response.status_code == 422
    assert said in text(response)
    assert not ApiToken.objects.exists()


def test_keys_have_their_bound(site, owner, address, monkeypatch):
    monkeypatch.setattr("analytics.access.keys.MAX_KEYS", 1)
    key, _ = key_of(site.team)
    form = {"name": "x", "scopes": ["analytics:read"]}
    assert "A team has at most 1 keys in use" in text(owner.post(address, form))
    # With an overlap there would be two.
    path = f"{address}/{key.uuid}/rotate"
    assert "A team has at most 1 keys" in text(owner.post(path, {"overlap_hours": 24}))


@pytest.mark.parametrize(("hours", "status"), [("24", 200), ("0", 401)])
def test_rotated_key_works_on_for_the_overlap(
    site, owner, address, client, hours, status
):
    key, old = key_of(site.team)
    path = f"{address}/{key.uuid}/rotate"
    asked = text(owner.get(path))
    assert f"{key.key_prefix}… stops working" in asked
    assert ApiToken.objects.count() == 1
    new = secret_of(owner.post(path, {"overlap_hours": hours}))
    assert asks(client, new, site) == 200
    assert asks(client, old, site) == status


@pytest.mark.parametrize("hours", ["", "-1", "100000", "x"])
def test_unknown_overlap_rotates_nothing(site, owner, address, hours):
    key, _ = key_of(site.team)
    owner.post(f"{address}/{key.uuid}/rotate", {"overlap_hours": hours})
    assert ApiToken.objects.count() == 1


def test_revoking_asks_and_takes_what_the_key_made(site, owner, address, client):
    key, secret = key_of(site.team)
    made, _ = key_of(site.team, "made")
    ApiToken.objects.filter(pk=made.pk).update(made_by_key=key)
    path = f"{address}/{key.uuid}/revoke"
    shown = text(owner.get(path))
    assert "This cannot be undone." in shown
    assert "Also revoke all keys created with this key" in shown
    assert asks(client, secret, site) == 200
    owner.post(path, {"made": "on"})
    assert asks(client, secret, site) == 401
    made.refresh_from_db()
    assert made.is_revoked
    assert ApiToken.objects.usable(timezone.now()).count() == 0
    assert "revoked" in text(owner.get(address))


@pytest.mark.parametrize("action", ["revoke", "rotate"])
def test_revoked_key_is_said_to_be_revoked_already(site, owner, address, action):
    """Asked for in another tab, or by somebody who was slower."""
    key, _ = key_of(site.team)
    key.revoke()
    for ask in (owner.get, owner.post):
        response = ask(f"{address}/{key.uuid}/{action}", follow=True)
        assert response.redirect_chain == [(address, 302)]
        assert f"The key {key.name} has already been revoked." in text(response)
    assert ApiToken.objects.count() == 1


def test_what_a_revoked_key_made_can_be_revoked_later(site, owner, address):
    key, _ = key_of(site.team)
    made, _ = key_of(site.team, "made")
    ApiToken.objects.filter(pk=made.pk).update(made_by_key=key)
    key.revoke()
    path = f"{address}/{key.uuid}/revoke"
    assert f'href="{path}">Revoke keys created with it' in text(owner.get(address))
    assert "Revoke these keys" in text(owner.get(path))
    done = owner.post(path, {"made": "on"}, follow=True)
    assert "1 key was revoked." in text(done)
    assert "Revoke keys created with it" not in text(done)
    made.refresh_from_db()
    assert made.is_revoked


def test_key_that_ends_soon_is_marked(site, owner, address):
    key_of(site.team, expires_at=timezone.now() + timedelta(days=3))
    assert "expires soon" in text(owner.get(address))


def test_keys_are_paged(site, owner, address):
    for number in range(51):
        key_of(site.team, f"key {number}")
    shown = text(owner.get(address))
    assert "key 50" in shown
    assert "key 0<" not in shown
    assert "key 0<" in text(owner.get(f"{address}?page=2"))


@pytest.mark.parametrize(("role", "status"), [(Role.VIEWER, 403), (Role.EDITOR, 403)])
def test_keys_are_the_owners(site, address, role, status):
    key, _ = key_of(site.team)
    browser = member(site.team, "other", role)
    for path in ("", f"/{key.uuid}/rotate", f"/{key.uuid}/revoke"):
        assert browser.get(address + path).status_code == status
        assert browser.post(address + path).status_code == status
    assert "API keys" not in text(browser.get(f"/teams/{site.team_id}"))
    assert ApiToken.objects.usable(timezone.now()).count() == 1


def test_stranger_finds_no_keys(site, address, client):
    key, _ = key_of(site.team)
    stranger = member(TeamFactory.create(), "stranger", Role.OWNER)
    own = stranger.get("/account").context["memberships"][0].team_id
    for path in (
        address,
        f"{address}/{key.uuid}/revoke",
        f"/teams/{own}/keys/{key.uuid}/revoke",
        f"/teams/{own}/keys/{key.uuid}/rotate",
    ):
        assert stranger.get(path).status_code == 404
        assert stranger.post(path).status_code == 404
    assert client.get(address).status_code == 302
