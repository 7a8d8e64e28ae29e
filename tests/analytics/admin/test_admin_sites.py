"""Sites in the admin: the API's rules, one entry a line, deleted softly."""

import re
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry

from analytics.models import AuditEntry, Import, ImportedSite, Site
from tests.analytics.admin.client import CONFIRMED, errors, superuser, url
from tests.factories import GoalFactory, SiteFactory, TeamFactory
from tests.queries import captured_queries


@pytest.fixture
def operator(db):
    return superuser()


def site_form(site=None, **values):
    return {
        "domain": "example.com",
        "name": "example.com",
        "timezone": "UTC",
        "allowed_hosts": "",
        "excluded_ips": "",
        "excluded_paths": "",
        "excluded_referrers": "",
        "channels": "[]",
        "honour_dnt": "on",
        **values,
    }


def test_site_is_created_with_a_key_of_its_own(operator):
    team = TeamFactory.create()
    form = site_form(
        domain="Example.COM", team=team.pk, excluded_paths="/a \r\n\r\n/b*"
    )
    response = operator.post(url("site", "add"), form)
    site = Site.objects.get()
    assert response.status_code == 302
    assert (site.team, site.domain) == (team, "example.com")
    assert site.site_key.startswith("sk_")
    assert site.excluded_paths == ["/a ", "/b*"]


def test_site_shows_the_tag_of_this_host(operator, site):
    page = operator.get(
        url("site", "change", site.pk), headers={"Host": "localhost"}, secure=True
    )
    assert page.context["tag"] == (
        '<script defer data-site="sk_abc123def456" src="https://localhost/a.js">'
        "</script>"
    )
    assert "&lt;script defer data-site=&quot;sk_abc123def456" in page.content.decode()


def test_site_settings_are_edited_one_entry_a_line(operator, site):
    site.excluded_paths = ["/a", "/b"]
    site.save()
    page = operator.get(url("site", "change", site.pk)).content.decode()
    form = site_form(
        allowed_hosts="Shop.example\r\n\r\nwww.example",
        excluded_ips="10.0.0.0/8\n::1",
        timezone="Europe/Berlin",
    )
    operator.post(url("site", "change", site.pk), form)
    site.refresh_from_db()
    assert "/a\n/b</textarea>" in page
    assert site.allowed_hosts == ["shop.example", "www.example"]
    assert site.excluded_ips == ["10.0.0.0/8", "::1"]
    assert site.excluded_paths == []
    assert site.timezone == "Europe/Berlin"


WRONG_SETTINGS = [
    ("timezone", "Mars/Olympus", "Mars/Olympus"),
    ("allowed_hosts", "no_host", ["no_host"]),
    ("excluded_ips", "1.2.3.4/99", ["1.2.3.4/99"]),
    ("excluded_ips", "a" * 65, ["a" * 65]),
    ("excluded_paths", "/" + "a" * 1_024, ["/" + "a" * 1_024]),
    ("excluded_paths", "/a\n" * 101, ["/a"] * 101),
    ("excluded_referrers", "*.example", ["*.example"]),
    ("channels", '[{"channel": "A"}]', [{"channel": "A"}]),
]


@pytest.mark.parametrize(("field", "text", "sent"), WRONG_SETTINGS)
def test_site_form_refuses_what_the_api_refuses(
    operator, writer, site, field, text, sent
):
    of_form = operator.post(url("site", "change", site.pk), site_form(**{field: text}))
    of_api = writer("PATCH", f"/sites/{site.site_key}/settings", {field: sent})
    (details,) = of_api.json()["details"].values()
    assert list(errors(of_form)) == [field]
    if field != "timezone":
        assert errors(of_form)[field][0].endswith(details[0])


@pytest.mark.parametrize("domain", ["no_domain", "taken.example", "-a.example"])
def test_domain_is_checked_as_by_the_api(operator, writer, site, domain):
    SiteFactory.create(team=site.team, domain="taken.example")
    SiteFactory.create(domain="example.com")
    form = site_form(domain=domain)
    of_form = operator.post(url("site", "change", site.pk), form)
    of_api = writer("PATCH", f"/sites/{site.site_key}", {"domain": domain})
    assert errors(of_form)["domain"] == of_api.json()["details"]["domain"]


def test_only_what_was_changed_is_saved(operator, site):
    """The API may delete or change the site while the form is open."""
    with captured_queries() as captured:
        operator.post(url("site", "change", site.pk), site_form(name="New"))
    (update,) = [sql for sql in captured if 'UPDATE "analytics_site"' in sql]
    assert re.findall(r'"(\w+)" =', update.partition("WHERE")[0]) == ["name"]


def test_form_without_a_change_saves_nothing(operator, site):
    with captured_queries() as captured:
        response = operator.post(url("site", "change", site.pk), site_form())
    assert response.status_code == 302
    assert [sql for sql in captured if 'FROM "analytics_site"' in sql]
    assert not [sql for sql in captured if 'UPDATE "analytics_site"' in sql]


def test_site_is_deleted_softly_after_a_confirmation(operator, writer, site):
    GoalFactory.create(site=site)
    address = url("site", "delete", site.pk)
    asked = operator.get(address).content.decode()
    assert "can be restored" in asked
    assert writer("PATCH", f"/sites/{site.site_key}", {}).status_code == 200

    operator.post(address, CONFIRMED)
    site.refresh_from_db()
    assert site.deleted_at is not None
    assert site.goals.count() == 1
    assert writer("PATCH", f"/sites/{site.site_key}", {}).status_code == 404
    assert LogEntry.objects.get().get_change_message() == "Deleted."


def test_deleted_site_can_be_seen_but_not_changed(operator, site):
    Site.objects.update(deleted_at=datetime.now(UTC))
    assert operator.get(url("site", "change", site.pk)).status_code == 200
    response = operator.post(url("site", "change", site.pk), site_form(name="x"))
    assert response.status_code == 403


def test_deleted_site_is_restored(operator, writer, site):
    Site.objects.update(deleted_at=datetime.now(UTC))
    page = operator.get(url("site", "change", site.pk)).content.decode()
    assert url("site", "restore", site.pk) in page
    operator.post(url("site", "restore", site.pk), CONFIRMED)
    site.refresh_from_db()
    assert site.deleted_at is None
    assert AuditEntry.objects.filter(action="site.restored").count() == 1
    assert LogEntry.objects.get().get_change_message() == "Restored."


def _being_erased(site):
    Site.objects.filter(pk=site.pk).update(erasure_asked_at=datetime.now(UTC))


def _being_imported(site):
    source = Import.objects.create(team=site.team, stream=uuid4())
    ImportedSite.objects.create(site=site, source=source, key="sk_abc123def456")


@pytest.mark.parametrize("spoil", [_being_erased, _being_imported])
def test_site_that_is_erased_or_imported_is_not_restored(operator, site, spoil):
    """By the rule of the API: there is one."""
    Site.objects.filter(pk=site.pk).update(deleted_at=datetime.now(UTC))
    spoil(site)
    path = url("site", "restore", site.pk)
    answer = operator.post(path, CONFIRMED, follow=True).content.decode()
    assert "The site can no longer be restored." in answer
    site.refresh_from_db()
    assert site.deleted_at is not None
    assert not AuditEntry.objects.filter(action="site.restored").exists()
    assert not LogEntry.objects.exists()


def test_site_is_not_restored_when_its_domain_is_taken(operator, site):
    Site.objects.update(deleted_at=datetime.now(UTC))
    SiteFactory.create(team=site.team, domain=site.domain)
    form = {"action": "restore_selected", "_selected_action": [site.pk]}
    response = operator.post(
        url("site", "changelist") + "?state=all", form | CONFIRMED, follow=True
    )
    site.refresh_from_db()
    assert site.deleted_at is not None
    assert "has another site with the domain example.com" in response.content.decode()


def test_lists_show_the_live_unless_asked_for_the_deleted(operator, site):
    deleted = SiteFactory.create(deleted_at=datetime.now(UTC))
    listed = {
        state: list(
            operator.get(url("site", "changelist"), {"state": state})
            .context["cl"]
            .result_list.order_by("pk")
        )
        for state in ("", "deleted", "all")
    }
    assert listed == {"": [site], "deleted": [deleted], "all": [site, deleted]}
