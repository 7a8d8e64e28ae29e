"""Adding a site, its settings, and deleting it."""

import re
from datetime import UTC, date, datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client

from analytics.models import Role, Site
from analytics.sites.serializers import SiteSerializer, SiteSettingsSerializer
from goals.pages.site_forms import SettingsForm
from tests.factories import SiteFactory, TeamFactory, store
from tests.goals.pages.browsing import browser_of, member, text

pytestmark = pytest.mark.django_db

DELETES_BEFORE = re.compile(r'name="deletes_before" value="([0-9-]+)"')
SETTINGS = {
    "name": "Shop",
    "domain": "shop.example",
    "timezone": "Europe/Berlin",
    "allowed_hosts": "one.example\r\n\r\nTWO.example\r\n",
    "excluded_ips": "192.0.2.0/24",
    "excluded_paths": "/admin/*",
    "excluded_referrers": "pay.example",
    "retention_months": "24",
    "channels.channel": ["Partners", "", "Podcast"],
    "channels.referrer": ["partner*", "", ""],
    "channels.utm_source": ["", "", ""],
    "channels.utm_medium": ["", "", "audio"],
    "channels.utm_campaign": ["", "", "<episode>-*"],
    "public_stats": "on",
}


@pytest.fixture
def editor(site):
    return member(site.team, "editor", Role.EDITOR)


@pytest.fixture
def address(site):
    return f"/sites/{site.site_key}"


def test_site_is_added_and_leads_to_the_snippet(site, editor):
    form = {"domain": "New.example", "name": "", "team": site.team_id}
    response = editor.post("/sites/new", {**form, "try_locally": "on"})
    made = Site.objects.get(domain="new.example")
    assert response.headers["Location"] == f"/sites/{made.site_key}/install"
    assert (made.team, made.name) == (site.team, "New.example")
    assert made.allowed_hosts == ["localhost", "127.0.0.1"]
    shown = text(editor.get(response.headers["Location"]))
    tag = (
        f"data-site=&quot;{made.site_key}&quot; src=&quot;http://testserver/a.js&quot;"
    )
    assert tag in shown
    assert "Waiting for the first event" in shown


@pytest.mark.parametrize(
    ("domain", "said"),
    [
        ("", "may not be blank"),
        ("https://x.example/", "Letters, digits, dots and hyphens only."),
        ("example.com", "The team has a site with this domain."),
    ],
)
def test_wrong_domain_is_named(site, editor, domain, said):
    form = {"domain": domain, "name": "x", "team": site.team_id}
    response = editor.post("/sites/new", form)
    assert response.status_code == 422
    assert said in text(response)
    assert Site.objects.count() == 1


def test_site_is_added_to_own_teams_only(site, strangers_site, editor):
    form = {"domain": "new.example", "name": "x", "team": strangers_site.team_id}
    assert editor.post("/sites/new", form).status_code == 422
    assert not Site.objects.filter(domain="new.example").exists()


def test_teams_are_offered_where_there_are_several(site):
    user = User.objects.create_user("ada")
    for team in (site.team, TeamFactory.create(name="Second")):
        team.memberships.create(user=user, role=Role.EDITOR)
    viewed = TeamFactory.create(name="Viewed")
    viewed.memberships.create(user=user, role=Role.VIEWER)
    shown = text(browser_of(user).get("/sites/new"))
    assert ">Second</option>" in shown
    assert ">Viewed</option>" not in shown


def test_settings_are_saved_as_the_api_takes_them(site, editor, address, reader):
    response = editor.post(f"{address}/settings", SETTINGS)
    assert response.headers["Location"] == f"{address}/settings"
    got = reader("GET", f"{address}/settings").json()["data"]
    assert got == {
        "timezone": "Europe/Berlin",
        "allowed_hosts": ["one.example", "two.example"],
        "excluded_ips": ["192.0.2.0/24"],
        "excluded_paths": ["/admin/*"],
        "excluded_referrers": ["pay.example"],
        "channels": [
            {"channel": "Partners", "referrer": "partner*"},
            {
                "channel": "Podcast",
                "utm_medium": "audio",
                "utm_campaign": "<episode>-*",
            },
        ],
        "honour_dnt": False,
        "retention_months": 24,
    }
    site.refresh_from_db()
    assert (site.name, site.domain) == ("Shop", "shop.example")
    assert site.public_stats
    shown = text(editor.get(f"{address}/settings"))
    assert "The settings were saved." in shown
    assert "one.example two.example" in shown
    assert shown.count('name="channels.channel"') == 2 + 2
    cell = 'name="channels.utm_campaign" value="&lt;episode&gt;-*"'
    assert f'{cell} aria-label="Campaign of rule 2"' in shown


def test_form_has_whatever_the_api_takes_of_a_site():
    written = {
        name
        for serializer in (SiteSerializer, SiteSettingsSerializer)
        for name, field in serializer().fields.items()
        if not field.read_only
    }
    assert set(SettingsForm.base_fields) == written


def test_wrong_channel_is_named_by_its_row_and_field(site, editor, address):
    wrong = {**SETTINGS, "channels.channel": ["Partners", "", ""]}
    response = editor.post(f"{address}/settings", wrong)
    assert response.status_code == 422
    assert "<li>2. channel: This field is required.</li>" in text(response)
    assert 'value="audio"' in text(response)
    site.refresh_from_db()
    assert site.channels == []


def test_one_wrong_entry_saves_nothing(site, editor, address):
    wrong = {**SETTINGS, "excluded_ips": "192.0.2.1\n300.1.1.1"}
    response = editor.post(f"{address}/settings", wrong)
    assert response.status_code == 422
    assert "Not an address or network: 300.1.1.1" in text(response)
    site.refresh_from_db()
    assert (site.name, site.timezone) == ("example.com", "UTC")


def test_domain_of_another_site_is_refused(site, editor, address):
    SiteFactory.create(team=site.team, domain="shop.example")
    response = editor.post(f"{address}/settings", SETTINGS)
    assert "The team has a site with this domain." in text(response)


def test_site_is_deleted_by_its_owner_who_types_the_domain(site, address):
    owner = member(site.team, "owner", Role.OWNER)
    assert "Delete the site" in text(owner.get(f"{address}/settings"))
    wrong = owner.post(f"{address}/delete", {"domain": "example"})
    assert wrong.status_code == 422
    assert "This is not the domain of the site." in text(wrong)
    assert Site.objects.undeleted().exists()
    assert (
        owner.post(f"{address}/delete", {"domain": "Example.com "})["Location"] == "/"
    )
    assert not Site.objects.undeleted().exists()
    assert owner.get(address).status_code == 404


def test_roles(site, editor, address):
    viewer = member(site.team, "viewer", Role.VIEWER)
    for path in (f"{address}/settings", f"{address}/install", "/sites/new"):
        assert editor.get(path).status_code == 200
        assert viewer.get(path).status_code == 403
    assert viewer.post(f"{address}/settings", SETTINGS).status_code == 403
    for browser in (viewer, editor):
        refused = browser.post(f"{address}/delete", {"domain": site.domain})
        assert refused.status_code == 403
    assert "Delete the site" not in text(editor.get(f"{address}/settings"))
    assert "Settings" not in text(viewer.get(address))
    assert "Add a site" not in text(viewer.get("/"))
    site.refresh_from_db()
    assert (site.name, site.deleted_at) == ("example.com", None)


def test_strangers_and_signed_out(strangers_site, address):
    stranger = member(strangers_site.team, role=Role.OWNER)
    for path in ("settings", "install", "live", "delete"):
        assert stranger.get(f"{address}/{path}").status_code == 404
        assert Client().get(f"{address}/{path}").status_code == 302
    assert stranger.post(f"{address}/settings", SETTINGS).status_code == 404
    assert Client().get("/sites/new").status_code == 302


def test_retention_that_deletes_events_asks(site, editor, address):
    store(site, "event", "signup", at=datetime(2020, 5, 5, tzinfo=UTC))
    response = editor.post(f"{address}/settings", SETTINGS)
    assert response.status_code == 422
    before = DELETES_BEFORE.findall(text(response))[0]
    written = f"{date.fromisoformat(before):%b %-d, %Y}"
    assert f"Events before {written} would be deleted permanently" in text(response)
    site.refresh_from_db()
    assert site.retention_months is None
    wrong = {**SETTINGS, "deletes_before": "2026-01-01"}
    assert editor.post(f"{address}/settings", wrong).status_code == 422
    right = {**SETTINGS, "deletes_before": before}
    assert editor.post(f"{address}/settings", right).status_code == 302
    site.refresh_from_db()
    assert site.retention_months == 24
    # Saved again, it deletes no more than it does already.
    assert editor.post(f"{address}/settings", SETTINGS).status_code == 302


@pytest.mark.parametrize(
    ("role", "keys", "danger"),
    [(Role.EDITOR, False, False), (Role.OWNER, True, True)],
)
def test_settings_lead_where_the_role_may_go(site, address, role, keys, danger):
    shown = text(member(site.team, "who", role).get(f"{address}/settings"))
    assert f'/teams/{site.team_id}"' in shown
    assert (f"/teams/{site.team_id}/keys" in shown) is keys
    assert (f"{address}/erase" in shown) is danger
    assert (f"{address}/delete" in shown) is danger
