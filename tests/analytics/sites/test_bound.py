"""A team has at most MAX_SITES sites, whichever way another one is made."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.utils.timezone import now

from analytics.models import Role, Site
from tests.analytics.admin.client import CONFIRMED, errors, superuser, url
from tests.factories import SiteFactory
from tests.goals.pages.browsing import member

SENTENCE = "A team has at most 2 sites."
NEW = {"domain": "new.example", "name": "New"}


@pytest.fixture
def full(site, settings):
    """A team that has as many as it may; deleted ones and those of others are not
    counted."""
    settings.MAX_SITES = 2
    SiteFactory.create()
    SiteFactory.create(team=site.team, deleted_at=now())
    return SiteFactory.create(team=site.team).team


def undeleted(team):
    return team.sites.undeleted().count()


def test_api_refuses_one_more(owner, full):
    answer = owner("POST", "/sites", NEW)
    assert (answer.status_code, answer.json()["details"]) == (
        422,
        {"non_field_errors": [SENTENCE]},
    )
    assert undeleted(full) == 2


def test_deleting_one_makes_room(owner, full, site):
    owner("DELETE", f"/sites/{site.site_key}")
    assert owner("POST", "/sites", NEW).status_code == 201


def test_sites_can_be_changed_all_the_same(owner, full, site):
    assert owner("PATCH", f"/sites/{site.site_key}", NEW).status_code == 200


def test_deleted_site_is_not_restored(owner, full):
    gone = Site.objects.get(team=full, deleted_at__isnull=False)
    answer = owner("POST", f"/deleted-sites/{gone.site_key}/restore")
    assert answer.json()["details"] == {"non_field_errors": [SENTENCE]}
    page = superuser().post(url("site", "restore", gone.pk), CONFIRMED, follow=True)
    assert SENTENCE in page.content.decode()
    assert undeleted(full) == 2


def test_admin_refuses_one_more(full):
    form = {**NEW, "team": full.pk, "timezone": "UTC"}
    answer = superuser().post(url("site", "add"), form)
    assert errors(answer) == {"__all__": [SENTENCE]}
    assert undeleted(full) == 2


def test_page_refuses_one_more(full):
    browser = member(full, role=Role.OWNER)
    answer = browser.post("/sites/new", {**NEW, "team": full.pk})
    assert answer.status_code == 422
    assert SENTENCE in answer.content.decode()
    assert undeleted(full) == 2


def test_import_is_refused(full, tmp_path):
    other, file = SiteFactory.create().team, tmp_path / "team.ndjson"
    quiet = {"stdout": io.StringIO()}
    call_command("export_team", "--team", other.name, str(file), **quiet)
    into = ("--team", full.name, "--new-keys")
    with pytest.raises(CommandError, match=SENTENCE):
        call_command("import_team", str(file), *into, **quiet)
    assert undeleted(full) == 2


def test_zero_is_no_bound(owner, full, settings):
    settings.MAX_SITES = 0
    assert owner("POST", "/sites", NEW).status_code == 201
