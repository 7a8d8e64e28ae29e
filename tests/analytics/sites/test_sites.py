"""Sites and their settings."""

import re
from datetime import UTC, datetime

import pytest
import time_machine
from django.db import IntegrityError

from analytics.models import Event, Site
from tests.factories import SiteFactory, store

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 2, 18, 12, 0, 0, 999_999, tzinfo=UTC)
KEYS = ["id", "domain", "name", "site_key", "public_stats", "created_at"]
DEFAULTS = {
    "timezone": "UTC",
    "allowed_hosts": [],
    "excluded_ips": [],
    "excluded_paths": [],
    "excluded_referrers": [],
    "channels": [],
    "honour_dnt": True,
    "retention_months": None,
}


@pytest.fixture
def url(site):
    return f"/sites/{site.site_key}"


@time_machine.travel(NOW, tick=False)
def test_site_is_made_with_six_keys(owner, site):
    body = {"domain": "Shop.Example", "name": " Shop "}
    response = owner("POST", "/sites", body)
    data = response.json()["data"]
    assert response.status_code == 201
    assert list(data) == KEYS
    made = Site.objects.get(site_key=data["site_key"])
    assert data["id"] == str(made.uuid)
    assert (data["domain"], data["name"]) == ("shop.example", "Shop")
    assert data["public_stats"] is False
    assert data["created_at"] == "2026-02-18T12:00:00Z"
    assert re.fullmatch(r"sk_[a-z0-9]{12}", data["site_key"])
    assert made.team == site.team


def test_sites_are_listed_and_read_alike(reader, site, url):
    other = SiteFactory.create(team=site.team)
    listed = reader("GET", "/sites").json()
    assert list(listed) == ["data"]
    assert [row["site_key"] for row in listed["data"]] == [
        site.site_key,
        other.site_key,
    ]
    assert reader("GET", url).json() == {"data": listed["data"][0]}
    assert list(listed["data"][0]) == KEYS


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "Other"), ("domain", "other.example"), ("public_stats", True)],
)
def test_one_field_changes_and_no_other(owner, url, field, value):
    before = owner("GET", url).json()["data"]
    response = owner("PATCH", url, {field: value})
    assert response.status_code == 200
    assert response.json()["data"] == {**before, field: value}
    assert owner("GET", url).json()["data"] == {**before, field: value}


def test_whole_site_can_be_sent_back(owner, url):
    whole = owner("GET", url).json()["data"]
    changed = {**whole, "name": "Other", "site_key": "sk_000000000000", "id": "x"}
    response = owner("PATCH", url, changed)
    assert response.json()["data"] == {**whole, "name": "Other"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("domain", ""),
        ("domain", None),
        ("domain", 5),
        ("domain", "https://example.com"),
        ("domain", "example.com/path"),
        ("domain", "example.com:8000"),
        ("domain", "exa mple.com"),
        ("domain", "-example.com"),
        ("domain", "example.com.."),
        ("domain", "exämple.com-"),
        ("domain", "İ" * 253),
        ("domain", "*.example.com"),
        ("domain", "a\nb"),
        ("domain", "a\0b"),
        ("domain", "a\x85b.example"),
        ("domain", "a\xa0b.example"),
        ("domain", "moc.elpmaxe\u202e.example"),
        ("domain", "a" * 254),
        ("name", ""),
        ("name", " "),
        ("name", None),
        ("name", "x" * 256),
        ("name", ["x"]),
        ("public_stats", "true"),
        ("public_stats", 1),
        ("public_stats", None),
        ("timezone", "Europe/Berlin"),
        ("team", 1),
        ("deleted_at", None),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_wrong_field_is_named(owner, url, method, field, value):
    body = {"domain": "new.example", "name": "New", field: value}
    before = list(Site.objects.values())
    response = owner(method, "/sites" if method == "POST" else url, body)
    assert response.status_code == 422
    assert list(response.json()["details"]) == [field]
    assert list(Site.objects.values()) == before


@pytest.mark.parametrize(
    ("typed", "kept", "again"),
    [
        ("Acme.EXAMPLE.", "acme.example", "acme.example"),
        ("München.example", "münchen.example", "xn--mnchen-3ya.example"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example", "münchen.example."),
    ],
)
def test_domain_is_kept_as_typed_and_once_a_team(owner, typed, kept, again):
    made = owner("POST", "/sites", {"domain": typed, "name": "A"})
    assert made.json()["data"]["domain"] == kept
    response = owner("POST", "/sites", {"domain": again, "name": "B"})
    assert response.status_code == 422
    assert list(response.json()["details"]) == ["domain"]


def test_domain_and_name_are_required(owner):
    response = owner("POST", "/sites", {})
    assert response.status_code == 422
    assert response.json()["details"] == {
        "domain": ["This field is required."],
        "name": ["This field is required."],
    }


@pytest.mark.parametrize("domain", ["example.com", "EXAMPLE.com"])
def test_domain_is_unique_within_the_team(owner, site, domain):
    response = owner("POST", "/sites", {"domain": domain, "name": "Again"})
    assert response.status_code == 422
    assert list(response.json()["details"]) == ["domain"]

    other = SiteFactory.create(team=site.team)
    response = owner("PATCH", f"/sites/{other.site_key}", {"domain": domain})
    assert response.status_code == 422
    assert (
        owner("PATCH", "/sites/" + site.site_key, {"domain": domain}).status_code == 200
    )


def test_domain_that_another_request_took_meanwhile_is_422(owner, site, monkeypatch):
    """Between the check and the write, where only the database can tell."""
    monkeypatch.setattr(
        "analytics.sites.serializers.SiteSerializer.validate_domain",
        lambda self, value: value,
    )
    response = owner("POST", "/sites", {"domain": site.domain, "name": "Again"})
    assert response.status_code == 422
    assert list(response.json()["details"]) == ["domain"]


# Deleting


def test_deleted_site_is_hidden_at_once(owner, track, site, url):
    event = {"type": "event", "name": "signup"}
    assert track(event).json()["dropped"] is None
    response = owner("DELETE", url)
    assert (response.status_code, response.content) == (
        200,
        b'{"data":{"deleted":true}}',
    )
    assert owner("GET", url).status_code == 404
    assert owner("GET", "/sites").json() == {"data": []}
    assert track(event).json()["dropped"] == "unknown_site"
    assert Event.objects.count() == 1


def test_domain_of_a_deleted_site_is_free_again(owner, site, url):
    owner("DELETE", url)
    response = owner("POST", "/sites", {"domain": site.domain, "name": "Again"})
    assert response.status_code == 201
    assert response.json()["data"]["site_key"] != site.site_key


def test_key_of_a_deleted_site_is_never_given_again(owner, site, url):
    owner("DELETE", url)
    with pytest.raises(IntegrityError):
        SiteFactory.create(site_key=site.site_key)


# Settings


def test_settings_have_defaults(reader, url):
    response = reader("GET", f"{url}/settings")
    assert response.json() == {"data": DEFAULTS}
    assert list(response.json()["data"]) == list(DEFAULTS)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timezone", "Pacific/Kiritimati"),
        ("allowed_hosts", ["shop.example", "example.net"]),
        ("excluded_ips", ["192.0.2.1", "10.0.0.0/8", "2001:db8::/32"]),
        ("excluded_paths", ["/admin/*", " /x y ", "*"]),
        ("excluded_referrers", ["bank.example", "!paypal.com", "münchen.example"]),
        ("channels", [{"channel": "Partners", "referrer": "partner*"}]),
        ("honour_dnt", False),
    ],
)
def test_one_setting_changes_and_no_other(owner, url, field, value):
    response = owner("PATCH", f"{url}/settings", {field: value})
    assert response.status_code == 200
    assert response.json()["data"] == {**DEFAULTS, field: value}
    assert owner("GET", f"{url}/settings").json()["data"] == {**DEFAULTS, field: value}


def test_list_can_be_emptied(owner, url):
    owner("PATCH", f"{url}/settings", {"excluded_paths": ["/a"]})
    response = owner("PATCH", f"{url}/settings", {"excluded_paths": []})
    assert response.json()["data"] == DEFAULTS


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timezone", "Europe/Atlantis"),
        ("timezone", "europe/berlin"),
        ("timezone", "+02:00"),
        ("timezone", "../../etc/passwd"),
        ("timezone", "/etc/localtime"),
        ("timezone", "localtime"),
        ("timezone", "Factory"),
        ("timezone", ""),
        ("timezone", None),
        ("timezone", "a\0b"),
        ("timezone", 2),
        ("allowed_hosts", "shop.example"),
        ("allowed_hosts", ["https://shop.example"]),
        ("allowed_hosts", [""]),
        ("allowed_hosts", ["x"] * 101),
        ("allowed_hosts", None),
        ("allowed_hosts", ["a\u2028b.example"]),
        ("excluded_ips", ["192.0.2"]),
        ("excluded_ips", ["192.0.2.0/33"]),
        ("excluded_ips", ["localhost"]),
        ("excluded_ips", {"0": "192.0.2.1"}),
        ("excluded_referrers", "bank.example"),
        ("excluded_referrers", ["https://bank.example"]),
        ("excluded_referrers", ["!"]),
        ("excluded_referrers", ["*.bank.example"]),
        ("excluded_referrers", ["!a\u200fb.example"]),
        ("channels", {}),
        ("channels", [{"channel": "a\u202eb", "referrer": "x"}]),
        ("channels", [{"channel": "a\nb", "referrer": "x"}]),
        ("channels", [{"channel": "Partners"}]),
        ("channels", [{"referrer": "x"}]),
        ("channels", [{"referrer": "x", "utm_medium": "x"}]),
        ("channels", [{"channel": "", "referrer": "x"}]),
        ("channels", [{"channel": "x" * 65, "referrer": "x"}]),
        ("channels", [{"channel": "x", "referrer": 1}]),
        ("channels", [{"channel": "x", "country": "DE"}]),
        ("channels", [{"channel": "x", "referrer": "x"}] * 101),
        ("honour_dnt", "no"),
        ("honour_dnt", None),
        ("name", "x"),
        ("domain", "x.example"),
    ],
)
def test_wrong_setting_is_named(owner, url, field, value):
    response = owner("PATCH", f"{url}/settings", {field: value})
    assert response.status_code == 422
    [name] = response.json()["details"]
    assert name.partition(".")[0] == field
    assert owner("GET", f"{url}/settings").json()["data"] == DEFAULTS


@pytest.mark.parametrize("value", [[5], [None], ["x" * 1_025], ["a\0b"], [["/a"]]])
def test_wrong_entry_of_a_list_is_named_by_its_place(owner, url, value):
    response = owner("PATCH", f"{url}/settings", {"excluded_paths": ["/ok", *value]})
    assert response.status_code == 422
    assert list(response.json()["details"]) == ["excluded_paths.1"]


def test_settings_hold_for_the_next_event(owner, track, site, url):
    event = {"type": "pageview", "url": "https://example.com/admin/x"}
    assert track(event).json()["dropped"] is None
    owner("PATCH", f"{url}/settings", {"excluded_paths": ["/admin/*"]})
    assert track(event).json()["dropped"] == "excluded_path"


@time_machine.travel(NOW, tick=False)
def test_zone_holds_from_the_next_event_on(owner, site, url):
    store(site, "event", "signup")
    owner("PATCH", f"{url}/settings", {"timezone": "Pacific/Kiritimati"})
    body = {"type": "event", "name": "signup", "visitor_id": "v"}
    owner("POST", f"{url}/events", body)
    days = Event.objects.order_by("id").values_list("day", flat=True)
    assert [str(day) for day in days] == ["2026-02-18", "2026-02-19"]
