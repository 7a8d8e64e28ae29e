"""Keys in the admin: shown once, kept nowhere, revoked for good."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client

from analytics.access import tokens
from analytics.models import ApiToken, AuditEntry, BrowserSession, Site
from tests.analytics.admin.client import CONFIRMED, errors, key_of, superuser, url
from tests.factories import SiteFactory, TeamFactory

SECRET = re.compile(r"kr_live_[A-Za-z0-9_-]{43}")


@pytest.fixture
def operator(db):
    return superuser()


def key_form(of, **values):
    return {
        "name": "robot",
        "team": of.pk,
        "scopes": ["analytics:read"],
        "expires_at_0": "",
        "expires_at_1": "",
        **values,
    }


def stored_text():
    """Everything the database holds, as text."""
    tables = connection.introspection.table_names()
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f'SELECT * FROM "{table}"')
            yield from (str(row) for row in cursor.fetchall())


def test_new_key_shows_its_secret_once(operator, site):
    response = operator.post(url("apitoken", "add"), key_form(site.team))
    (secret,) = set(SECRET.findall(response.content.decode()))
    key = ApiToken.objects.get()
    assert response.status_code == 200
    assert key.digest == tokens.digest(secret)
    assert "no-store" in response.headers["Cache-Control"]

    pages = ("changelist",), ("change", key.pk), ("history", key.pk)
    for page in pages:
        shown = operator.get(url("apitoken", *page)).content.decode()
        assert secret not in shown
        assert key.key_prefix in shown


@pytest.mark.usefixtures("log_everything")
def test_secret_is_kept_nowhere(operator, site, caplog):
    response = operator.post(url("apitoken", "add"), key_form(site.team))
    (secret,) = set(SECRET.findall(response.content.decode()))
    assert "Location" not in response.headers
    assert secret not in str(operator.cookies)
    assert not list(response.context["messages"])
    sessions = [str(session.get_decoded()) for session in BrowserSession.objects.all()]
    assert sessions
    assert secret not in "".join(sessions)
    assert LogEntry.objects.get().object_repr == f"robot ({secret[:12]}…)"
    for text in ("\n".join(stored_text()), caplog.text):
        assert secret[:12] in text
        assert secret not in text


def test_new_key_without_sites_reaches_all_of_the_team(operator, site):
    form = key_form(site.team, scopes=["analytics:write", "analytics:read"])
    operator.post(url("apitoken", "add"), form)
    key = ApiToken.objects.get()
    assert key.scopes == ["analytics:read", "analytics:write"]
    assert (key.team, key.is_narrowed, key.expires_at) == (site.team, False, None)


def test_new_key_with_sites_is_narrowed_to_them(operator, site):
    SiteFactory.create(team=site.team)
    form = key_form(
        site.team, sites=[site.pk], expires_at_0="2099-01-01", expires_at_1="12:00"
    )
    operator.post(url("apitoken", "add"), form)
    key = ApiToken.objects.get()
    assert key.is_narrowed
    assert list(key.sites.all()) == [site]
    assert key.expires_at == datetime(2099, 1, 1, 12, tzinfo=UTC)


def test_new_key_opens_the_api(operator, site):
    response = operator.post(url("apitoken", "add"), key_form(site.team))
    (secret,) = set(SECRET.findall(response.content.decode()))
    headers = {"Authorization": f"Bearer {secret}"}
    assert Client().get("/api/v1/analytics/sites", headers=headers).status_code == 200


def test_scopes_are_check_boxes_with_their_meaning(operator):
    page = operator.get(url("apitoken", "add")).content.decode()
    for scope, meaning in tokens.SCOPES.items():
        assert re.search(rf'type="checkbox"[^>]*value="{re.escape(scope)}"', page)
        assert meaning in page


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("name", {"name": "  "}),
        ("team", {"team": ""}),
        ("scopes", {"scopes": []}),
        ("scopes", {"scopes": ["analytics:fly"]}),
        ("expires_at", {"expires_at_0": "2001-01-01", "expires_at_1": "00:00"}),
    ],
)
def test_new_key_with_a_wrong_field_is_not_issued(operator, site, field, values):
    response = operator.post(url("apitoken", "add"), key_form(site.team, **values))
    assert list(errors(response)) == [field]
    assert not ApiToken.objects.exists()


def test_new_key_for_a_foreign_site_is_not_issued(operator, site, strangers_site):
    form = key_form(site.team, sites=[site.pk, strangers_site.pk])
    response = operator.post(url("apitoken", "add"), form)
    assert errors(response)["sites"] == [f"Not of {site.team}: stranger.example."]
    assert not ApiToken.objects.exists()


def test_deleted_site_is_not_offered_to_a_key(operator, site):
    Site.objects.update(deleted_at=datetime.now(UTC))
    response = operator.post(
        url("apitoken", "add"), key_form(site.team, sites=[site.pk])
    )
    assert list(errors(response)) == ["sites"]


def test_only_the_name_of_a_key_can_be_changed(operator, site):
    key = key_of(site.team)
    form = {"name": "renamed", "scopes": ["*"], "team": TeamFactory.create().pk}
    response = operator.post(url("apitoken", "change", key.pk), form)
    key.refresh_from_db()
    assert response.status_code == 302
    assert (key.name, key.scopes, key.team) == (
        "renamed",
        ["analytics:read"],
        site.team,
    )


def test_key_is_revoked_after_a_confirmation(operator, site):
    key = key_of(site.team)
    asked = operator.get(url("apitoken", "revoke", key.pk))
    operator.post(url("apitoken", "revoke", key.pk))
    key.refresh_from_db()
    assert str(key) in asked.content.decode()
    assert not key.is_revoked

    response = operator.post(url("apitoken", "revoke", key.pk), CONFIRMED)
    key.refresh_from_db()
    assert response.status_code == 302
    assert key.is_revoked
    assert LogEntry.objects.get().get_change_message() == "Revoked."


def test_many_keys_are_revoked_after_a_confirmation(operator, site):
    keys = [key_of(site.team), key_of(site.team)]
    kept = key_of(site.team)
    form = {"action": "revoke_selected", "_selected_action": [k.pk for k in keys]}
    asked = operator.post(url("apitoken", "changelist"), form)
    assert not ApiToken.objects.exclude(revoked_at=None).exists()
    for key in keys:
        hidden = f'name="_selected_action" value="{key.pk}"'
        assert hidden in asked.content.decode()

    operator.post(url("apitoken", "changelist"), form | CONFIRMED)
    assert list(ApiToken.objects.filter(revoked_at=None)) == [kept]


def test_revoked_key_stays_revoked_since_the_first_time(operator, site):
    key = key_of(site.team)
    key.revoke()
    first = key.revoked_at
    page = operator.get(url("apitoken", "change", key.pk)).content.decode()
    again = operator.post(url("apitoken", "revoke", key.pk), CONFIRMED)
    form = {"action": "revoke_selected", "_selected_action": [key.pk]}
    operator.post(url("apitoken", "changelist"), form | CONFIRMED)
    key.refresh_from_db()
    assert again.status_code == 403
    assert url("apitoken", "revoke", key.pk) not in page
    assert key.revoked_at == first


def test_key_cannot_be_deleted(operator, site):
    key = key_of(site.team)
    assert operator.post(url("apitoken", "delete", key.pk)).status_code == 403
    assert operator.post(url("team", "delete", site.team.pk)).status_code in (200, 403)
    assert ApiToken.objects.filter(pk=key.pk).exists()


@pytest.mark.parametrize("state", ["usable", "expired", "revoked"])
def test_keys_are_filtered_by_their_state(operator, site, state):
    past = datetime.now(UTC) - timedelta(days=1)
    key_of(site.team, name="is usable")
    key_of(site.team, name="is expired", expires_at=past)
    key_of(site.team, name="is revoked").revoke()
    page = operator.get(url("apitoken", "changelist"), {"state": state})
    assert [key.name for key in page.context["cl"].result_list] == [f"is {state}"]


def test_key_is_rotated_with_a_day_for_both_secrets(operator, site):
    old, secret = ApiToken.issue(team=site.team, name="robot", scopes=["*"])
    asked = operator.get(url("apitoken", "rotate", old.pk))
    assert "works for another day" in " ".join(asked.content.decode().split())
    assert ApiToken.objects.count() == 1
    shown = operator.post(url("apitoken", "rotate", old.pk), CONFIRMED)
    (new_secret,) = set(SECRET.findall(shown.content.decode()))
    new = ApiToken.objects.get(rotates=old)
    assert new.digest == tokens.digest(new_secret)
    assert (new.scopes, new.expires_at, new.made_by) == (["*"], None, "operator")
    old.refresh_from_db()
    assert old.expires_at is not None
    assert old.expires_at - datetime.now(UTC) > timedelta(hours=23)
    for each in (secret, new_secret):
        headers = {"Authorization": f"Bearer {each}"}
        answer = Client().get("/api/v1/analytics/sites", headers=headers)
        assert answer.status_code == 200


def test_key_is_rotated_at_once(operator, site):
    old = key_of(site.team)
    page = operator.get(url("apitoken", "change", old.pk)).content.decode()
    assert url("apitoken", "rotate_at_once", old.pk) in page
    operator.get(url("apitoken", "rotate_at_once", old.pk))
    operator.post(url("apitoken", "rotate_at_once", old.pk))
    assert ApiToken.objects.count() == 1
    shown = operator.post(url("apitoken", "rotate_at_once", old.pk), CONFIRMED)
    assert SECRET.findall(shown.content.decode())
    old.refresh_from_db()
    assert old.is_revoked


def test_revocation_is_recorded_once(operator, site):
    one, many = key_of(site.team), [key_of(site.team), key_of(site.team)]
    operator.post(url("apitoken", "revoke", one.pk), CONFIRMED)
    form = {"action": "revoke_selected", "_selected_action": [k.pk for k in many]}
    operator.post(url("apitoken", "changelist"), form | CONFIRMED)
    told = AuditEntry.objects.filter(action="key.revoked")
    assert sorted(entry.subject_id for entry in told) == sorted(
        str(key.uuid) for key in (one, *many)
    )


def test_key_is_revoked_with_what_it_made(operator, site):
    leaked, made = key_of(site.team), key_of(site.team)
    ApiToken.objects.filter(pk=made.pk).update(made_by_key=leaked)
    operator.post(url("apitoken", "revoke_with_made", leaked.pk), CONFIRMED)
    assert not ApiToken.objects.filter(revoked_at=None).exists()
    assert set(ApiToken.objects.values_list("revoked_by", flat=True)) == {"operator"}


def test_revoked_key_still_gives_away_what_it_made(operator, site):
    """That it did may be noticed once it is revoked, or rotated at once."""
    leaked, made, late = (key_of(site.team) for _ in range(3))
    ApiToken.objects.filter(pk=made.pk).update(made_by_key=leaked)
    ApiToken.objects.filter(pk=late.pk).update(made_by_key=made)
    for key in (leaked, made):
        operator.post(url("apitoken", "revoke", key.pk), CONFIRMED)
    with_made = url("apitoken", "revoke_with_made", leaked.pk)
    operator.post(with_made, CONFIRMED)
    assert not ApiToken.objects.filter(revoked_at=None).exists()
    assert operator.post(with_made, CONFIRMED).status_code == 403


def test_all_scopes_are_chosen_alone(operator, site):
    form = key_form(site.team, scopes=["*", "analytics:read"])
    response = operator.post(url("apitoken", "add"), form)
    assert list(errors(response)) == ["scopes"]
    assert not ApiToken.objects.exists()


def test_keys_that_end_soon_are_found(operator, site):
    soon = datetime.now(UTC) + timedelta(days=29)
    key_of(site.team, name="lasting", expires_at=soon + timedelta(days=9))
    key_of(site.team, name="ending", expires_at=soon)
    page = operator.get(url("apitoken", "changelist"), {"state": "soon"})
    assert [key.name for key in page.context["cl"].result_list] == ["ending"]
    assert "expires soon" in page.content.decode()
