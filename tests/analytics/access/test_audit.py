"""The audit trail: every change has its entry, and entries stay as they are."""

import io
import logging
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from analytics import append_only, housekeeping
from analytics.access import audit
from analytics.models import ApiToken, AuditEntry, Team
from tests.analytics.admin.client import CONFIRMED, superuser, url
from tests.factories import GoalFactory, SiteFactory, TeamFactory
from tests.routes import GOAL, SETTINGS

pytestmark = pytest.mark.django_db

TABLE = AuditEntry._meta.db_table
AUDIT = "/api/v1/audit"


def deeds():
    """(action, subject, changes) of all entries, oldest first.

    Without the sign-in of the operator, which `superuser` needs.
    """
    entries = AuditEntry.objects.exclude(subject_name="operator").order_by("pk")
    return [(entry.action, entry.subject_name, entry.changes) for entry in entries]


def last():
    return AuditEntry.objects.order_by("-pk")[0]


# What is kept of whom


def test_goal_over_the_api(writer, site):
    goals = f"/sites/{site.site_key}/goals"
    id = writer("POST", goals, GOAL).json()["data"]["id"]
    writer("PATCH", f"{goals}/{id}", {**GOAL, "name": "Order"})
    writer("PATCH", f"{goals}/{id}", {"name": "Order"})
    writer("DELETE", f"{goals}/{id}")
    assert deeds() == [
        ("goal.created", "Purchase", {name: [None, v] for name, v in GOAL.items()}),
        ("goal.changed", "Order", {"name": ["Purchase", "Order"]}),
        ("goal.deleted", "Order", {}),
    ]
    key = ApiToken.objects.get(name="test")
    for entry in AuditEntry.objects.all():
        assert entry.team_id == site.team_id
        assert entry.site_key == site.site_key
        assert entry.subject_id == id
        assert (entry.actor_type, entry.actor_id) == ("key", str(key.uuid))
        assert (entry.actor_name, entry.via) == (key.key_prefix, "api")


def test_request_id_is_kept(writer, site):
    body = {"name": "Other"}
    writer("PATCH", f"/sites/{site.site_key}", body, headers={"X-Request-ID": "r-1"})
    assert last().request_id == "r-1"


def test_goals_as_a_set(writer, site):
    GoalFactory.create(site=site, name="Old")
    GoalFactory.create(site=site, name="Kept", match_value="kept")
    kept = {**GOAL, "name": "Kept", "match_value": "other"}
    path = f"/sites/{site.site_key}/goals/apply"
    writer("POST", f"{path}?dry_run=true", {"goals": [GOAL, kept]})
    assert deeds() == []
    writer("POST", path, {"goals": [GOAL, kept]}, queries=8)
    assert [deed[:2] for deed in deeds()] == [
        ("goal.created", "Purchase"),
        ("goal.changed", "Kept"),
        ("goal.deleted", "Old"),
    ]
    assert deeds()[1][2]["match_value"] == ["kept", "other"]
    assert {e.team_id for e in AuditEntry.objects.all()} == {site.team_id}


def test_site_over_the_api(owner, site):
    made = owner("POST", "/sites", {"domain": "new.example", "name": "New"})
    key = made.json()["data"]["site_key"]
    owner("PATCH", f"/sites/{key}", {"public_stats": True})
    owner("PATCH", f"/sites/{key}/settings", {"timezone": "Europe/Berlin"})
    owner("DELETE", f"/sites/{key}")
    assert deeds() == [
        (
            "site.created",
            "new.example",
            {"domain": [None, "new.example"], "name": [None, "New"]},
        ),
        ("site.changed", "new.example", {"public_stats": [False, True]}),
        ("site.changed", "new.example", {"timezone": ["UTC", "Europe/Berlin"]}),
        ("site.deleted", "new.example", {}),
    ]
    assert last().subject_id == key


def test_addresses_are_counted_and_long_values_measured(owner, site):
    paths = [f"/{number}/{'x' * 900}" for number in range(3)]
    sent = {**SETTINGS, "excluded_ips": ["192.0.2.0/24"], "excluded_paths": paths}
    owner("PATCH", f"/sites/{site.site_key}/settings", sent)
    changes = last().changes
    assert changes["excluded_ips"] == ["(0 entries)", "(1 entries)"]
    assert changes["excluded_paths"] == [[], "(2719 bytes)"]
    assert "192.0.2" not in str(AuditEntry.objects.values())


def test_key_over_the_api(owner, site):
    sent = {"name": "Report", "scopes": ["analytics:read"], "sites": [site.site_key]}
    made = owner("POST", "/api/v1/tokens", sent).json()["data"]
    again = owner("POST", f"/api/v1/tokens/{made['id']}/rotate").json()["data"]
    for _ in range(2):
        owner("POST", f"/api/v1/tokens/{again['id']}/revoke")
    about = {name: [None, value] for name, value in sent.items()}
    first, second = (f"Report ({key['key_prefix']}…)" for key in (made, again))
    prefixes = [made["key_prefix"], again["key_prefix"]]
    assert deeds() == [
        ("key.created", first, about),
        ("key.created", second, about),
        ("key.rotated", first, {"key_prefix": prefixes}),
        ("key.revoked", second, {}),
    ]
    kept = str(list(AuditEntry.objects.values()))
    for secret in (made["token"], again["token"]):
        assert secret not in kept
    for digest in ApiToken.objects.values_list("digest", flat=True):
        assert digest not in kept


def test_refused_change_leaves_nothing(owner, writer, stranger, site):
    writer("PATCH", f"/sites/{site.site_key}", {"domain": ""})
    stranger("DELETE", f"/sites/{site.site_key}")
    owner("POST", "/api/v1/tokens", {"name": "x", "scopes": ["all"]})
    assert deeds() == []


def test_rolled_back_change_leaves_nothing_in_table_or_log(site, caplog):
    caplog.set_level(logging.INFO, "analytics.access.audit")
    with transaction.atomic():
        audit.record("site.changed", site)
        transaction.set_rollback(True)
    assert deeds() == []
    assert "site.changed" not in caplog.text


def test_export_of_conversions(reader, site):
    goal = GoalFactory.create(site=site)
    path = f"/sites/{site.site_key}/goals/{goal.id}/conversions?period=7d"
    for media in ("text/csv", "application/x-ndjson", "application/json"):
        response = reader("GET", path, headers={"Accept": media})
        # To its end, as its place among the long questions is free then.
        b"".join(response)
    assert [deed[:2] for deed in deeds()] == [("export.made", "Signup")] * 2
    assert last().changes["file"][1].endswith(".ndjson")


def test_admin_records_what_a_form_changed(site):
    operator = superuser()
    goal = GoalFactory.create(site=site)
    page = url("goal", "change", goal.pk)
    operator.post(page, {**GOAL, "name": "Order", "currency": "EUR"})
    assert last().action == "goal.changed"
    assert last().changes["currency"] == [None, "EUR"]
    assert last().changes["name"] == ["Signup", "Order"]
    assert (last().actor_type, last().actor_name) == ("user", "operator")
    assert (last().via, last().team_id) == ("admin", site.team_id)
    operator.post(url("goal", "delete", goal.pk), CONFIRMED)
    assert last().action == "goal.deleted"
    restore = {"action": "restore_selected", "_selected_action": goal.pk, **CONFIRMED}
    operator.post(f"{url('goal', 'changelist')}?state=deleted", restore)
    assert last().action == "goal.restored"


def test_admin_records_keys_without_their_secret(site):
    operator = superuser()
    sent = {"name": "Robot", "team": site.team.pk, "scopes": ["analytics:read"]}
    page = operator.post(url("apitoken", "add"), {**sent, "sites": [site.pk]})
    secret = page.context["secret"]
    key = ApiToken.objects.get()
    assert deeds() == [
        (
            "key.created",
            str(key),
            {
                "name": [None, "Robot"],
                "scopes": [None, ["analytics:read"]],
                "sites": [None, [site.site_key]],
            },
        )
    ]
    operator.post(url("apitoken", "change", key.pk), {"name": "Machine"})
    assert last().changes == {"name": ["Robot", "Machine"]}
    operator.post(
        url("apitoken", "changelist"),
        {"action": "revoke_selected", "_selected_action": key.pk, **CONFIRMED},
    )
    assert last().action == "key.revoked"
    assert secret not in str(list(AuditEntry.objects.values()))


def test_admin_records_members(site):
    operator = superuser()
    helper = User.objects.create_user("helper")
    page = url("team", "change", site.team.pk)
    form = {
        "name": site.team.name,
        "memberships-TOTAL_FORMS": 1,
        "memberships-INITIAL_FORMS": 0,
        "memberships-0-user": helper.pk,
        "memberships-0-role": "editor",
    }
    operator.post(page, form)
    assert deeds() == [
        ("team.changed", site.team.name, {"members": [[], ["helper, editor"]]}),
    ]
    assert last().team_id == site.team_id


def test_admin_records_who_of_many_members_changed(site):
    operator = superuser()
    rows = [
        site.team.memberships.create(
            user=User.objects.create_user(f"{number:03}" * 10), role="editor"
        )
        for number in range(60)
    ]
    form = {
        "name": site.team.name,
        "memberships-TOTAL_FORMS": 60,
        "memberships-INITIAL_FORMS": 60,
    }
    for at, row in enumerate(rows):
        form |= {
            f"memberships-{at}-id": row.pk,
            f"memberships-{at}-user": row.user_id,
            f"memberships-{at}-role": row.role,
        }
    form |= {"memberships-7-role": "viewer", "memberships-9-DELETE": "on"}
    operator.post(url("team", "change", site.team.pk), form)
    seven, nine = "007" * 10, "009" * 10
    assert last().changes["members"] == [
        [f"{seven}, editor", f"{nine}, editor"],
        [f"{seven}, viewer"],
    ]


def test_admin_records_a_user_in_each_team(site):
    operator = superuser()
    other = TeamFactory.create()
    ben = User.objects.create_user("ben")
    for team in (site.team, other):
        team.memberships.create(user=ben, role="viewer")
    form = {"username": "benjamin", "date_joined_0": "2026-01-01"}
    form |= {"date_joined_1": "00:00:00", "is_active": "on"}
    operator.post(url("user", "change", ben.pk), form)
    operator.post(url("user", "delete", ben.pk), {"post": "yes"})
    found = AuditEntry.objects.filter(action__startswith="user.")
    told = {(e.action, e.team_id, str(e.changes.get("username"))) for e in found}
    for team in (site.team, other):
        assert ("user.changed", team.pk, "['ben', 'benjamin']") in told
        assert ("user.deleted", team.pk, "None") in told


def test_admin_records_users_without_passwords():
    operator = superuser()
    password = "correct-horse-battery"
    sent = {"username": "new", "password1": password, "password2": password}
    operator.post(url("user", "add"), {**sent, "usable_password": "true"})
    user = User.objects.get(username="new")
    assert (last().action, last().subject_id) == ("user.created", str(user.pk))
    operator.post(
        f"/admin/auth/user/{user.pk}/password/",
        {"password1": password[::-1], "password2": password[::-1]},
    )
    assert (last().action, last().subject_name) == ("user.password_changed", "new")
    operator.post(url("user", "delete", user.pk), {"post": "yes"})
    assert (last().action, last().subject_name) == ("user.deleted", "new")
    kept = str(list(AuditEntry.objects.values()))
    assert password not in kept
    assert password[::-1] not in kept


# Signing in


def sign_in(name, password):
    sent = {"username": name, "password": password}
    return [
        Client().post(path, sent).status_code
        for path in ("/login", "/admin/login/?next=/admin/")
    ]


def test_sign_in_is_kept_in_each_team_of_the_user(site):
    user = User.objects.create_user("anna", password="right", is_staff=True)
    other = Team.objects.create(name="Other")
    for team in (site.team, other):
        team.memberships.create(user=user, role="owner")
    assert sign_in("anna", "right") == [302, 302]
    entries = AuditEntry.objects.values_list("action", "subject_name", "team_id")
    assert set(entries) == {
        ("sign_in.succeeded", "anna", site.team_id),
        ("sign_in.succeeded", "anna", other.pk),
    }
    assert len(entries) == 4
    assert {entry.via for entry in AuditEntry.objects.all()} == {"page", "admin"}
    assert last().actor_name == "anna"


def test_failed_sign_in_names_only_who_there_is(db):
    User.objects.create_user("anna", password="right", is_staff=True)
    sign_in("anna", "wrong")
    sign_in("my-password-by-mistake", "wrong")
    names = ["anna", "anna", "", ""]
    assert deeds() == [("sign_in.failed", name, {}) for name in names]
    assert last().actor_type == "nobody"


def test_failed_sign_ins_of_an_hour_are_bounded(db):
    with time_machine.travel("2026-03-01T10:00:00Z", tick=False):
        for _ in range(130):
            audit.sign_in_failed(credentials={})
        assert AuditEntry.objects.count() == 100
    with time_machine.travel("2026-03-01T11:00:00Z", tick=False):
        audit.sign_in_failed(credentials={})
    assert last().changes == {"not_kept": [0, 30]}


# Commands and the service itself


def test_command_is_named(site, monkeypatch):
    typed = ["manage.py", "create_token", "--name", "x"]
    monkeypatch.setattr(sys, "argv", typed)
    out, err = io.StringIO(), io.StringIO()
    call_command("create_token", name="x", scopes="*", stdout=out, stderr=err)
    assert (last().actor_type, last().actor_name) == ("command", "create_token")
    assert (last().action, last().via) == ("key.created", "command")
    assert out.getvalue().strip() not in str(last().changes)


def test_commands_of_django_are_recorded(db, monkeypatch):
    quiet = {"stdout": io.StringIO(), "interactive": False, "email": "", "verbosity": 0}
    call_command("createsuperuser", username="root", **quiet)
    monkeypatch.setattr(
        "django.contrib.auth.management.commands.changepassword.getpass.getpass",
        lambda prompt: "correct-horse-battery",
    )
    call_command("changepassword", "root", stdout=io.StringIO())
    assert deeds() == [
        ("user.created", "root", {"is_superuser": [None, True]}),
        ("user.password_changed", "root", {}),
    ]


def test_loaded_rates_and_imported_logs_are_recorded(site, tmp_path):
    rates = tmp_path / "eurofxref.csv"
    rates.write_text("Date, USD, JPY,\n27 November 2026, 1.10, 160.5,\n")
    call_command("load_rates", str(rates), stdout=io.StringIO())
    log = tmp_path / "access.log"
    log.write_text("")
    for option in (["--dry-run"], []):
        command = ("import_log", "--site", site.site_key, str(log), *option)
        call_command(*command, stdout=io.StringIO())
    assert deeds() == [
        ("rates.loaded", "", {"new": [0, 2], "changed": [0, 0]}),
        ("log.imported", "example.com", {"page_views": [0, 0]}),
    ]


def test_what_no_command_did_is_the_services(site):
    audit.record("site.changed", site)
    assert (last().actor_type, last().via) == ("service", "service")


def test_old_entries_are_deleted_and_that_is_told(settings, site):
    settings.AUDIT_DAYS = 90
    now = timezone.now()
    for days in (10, 89, 92, 95):
        AuditEntry.objects.create(action="site.changed", at=now - timedelta(days))
    assert housekeeping.tidy().audit_entries == 2
    assert housekeeping.tidy().audit_entries == 0
    assert (last().action, last().changes) == ("audit.expired", {"entries": [2, 0]})
    assert AuditEntry.objects.count() == 3


# Entries stay as they are


@pytest.fixture
def protected():
    """The triggers of the migration; conftest removes them from SQLite."""
    with transaction.atomic():
        if connection.vendor == "sqlite":
            append_only.protect(connection, TABLE, 30)
        yield
        transaction.set_rollback(True)


@pytest.mark.parametrize("age", [0, 29])
def test_young_entry_cannot_be_deleted(protected, age):
    at = timezone.now() - timedelta(age)
    AuditEntry.objects.create(action="site.changed", at=at)
    with pytest.raises(IntegrityError, match="kept as they are"), transaction.atomic():
        AuditEntry.objects.all().delete()
    assert AuditEntry.objects.count() == 1


@pytest.mark.parametrize("age", [0, 29, 31, 400])
def test_entry_cannot_be_changed(protected, age):
    at = timezone.now() - timedelta(age)
    AuditEntry.objects.create(action="site.changed", at=at)
    for change in (
        lambda: AuditEntry.objects.update(action="site.deleted"),
        lambda: connection.cursor().execute(f"UPDATE {TABLE} SET actor_name = ''"),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()
    assert AuditEntry.objects.get().action == "site.changed"


def test_old_entry_can_be_deleted(protected):
    at = timezone.now() - timedelta(31)
    AuditEntry.objects.create(action="site.changed", at=at)
    AuditEntry.objects.all().delete()
    assert not AuditEntry.objects.exists()


def test_migrations_leave_the_triggers(tmp_path):
    """On SQLite a table that is rebuilt would lose them."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
            found = {name for (name,) in cursor.fetchall()}
    else:
        found = triggers_of_a_new_database(tmp_path)
    assert found >= {f"{TABLE}_no_update", f"{TABLE}_no_delete"}


def triggers_of_a_new_database(folder):
    path = folder / "new.sqlite3"
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"],
        check=True,
        env={**os.environ, "DATABASE_URL": f"sqlite:///{path}"},
    )
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT name FROM sqlite_master WHERE type='trigger'")
        return {name for (name,) in rows}


# Reading it


def test_team_reads_its_trail_page_by_page(owner, site):
    for number in range(5):
        owner("PATCH", f"/sites/{site.site_key}", {"name": f"Name {number}"})
    names, path = [], f"{AUDIT}?limit=2"
    while path:
        response = owner("GET", path, queries=2)
        names += [e["changes"]["name"][1] for e in response.json()["data"]]
        cursor = response.json()["next_cursor"]
        path = cursor and f"{AUDIT}?limit=2&cursor={cursor}"
    assert names == [f"Name {number}" for number in reversed(range(5))]


def test_entry_is_shown(owner, site):
    key = ApiToken.objects.get(name="test")
    with time_machine.travel("2026-03-01T10:00:00.5Z", tick=False):
        headers = {"X-Request-ID": "r-1"}
        owner("PATCH", f"/sites/{site.site_key}", {"name": "New"}, headers=headers)
    (entry,) = owner("GET", AUDIT).json()["data"]
    assert entry == {
        "id": str(last().uuid),
        "at": "2026-03-01T10:00:00Z",
        "action": "site.changed",
        "actor": {"type": "key", "id": str(key.uuid), "name": key.key_prefix},
        "via": "api",
        "site": site.site_key,
        "subject": {"id": site.site_key, "name": "example.com"},
        "changes": {"name": ["example.com", "New"]},
        "request_id": "r-1",
    }


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("action=site.changed", 1),
        ("action=goal.created", 1),
        ("action=goal.deleted", 0),
        ("site=sk_abc123def456", 2),
        ("site=sk_abc123def457", 0),
        ("from=2026-03-01&to=2026-03-01", 1),
        ("from=2026-03-02", 1),
        ("to=2026-02-28", 0),
    ],
)
def test_trail_is_narrowed(owner, site, asked, found):
    with time_machine.travel("2026-03-01T23:59:59Z", tick=False):
        owner("PATCH", f"/sites/{site.site_key}", {"name": "New"})
    with time_machine.travel("2026-03-02T00:00:00Z", tick=False):
        owner("POST", f"/sites/{site.site_key}/goals", GOAL)
    assert len(owner("GET", f"{AUDIT}?{asked}").json()["data"]) == found


@pytest.mark.parametrize(
    "asked", ["action=goal", "site=x", "from=x", "cursor=x", "a=1"]
)
def test_wrong_question_is_422(owner, asked):
    assert owner("GET", f"{AUDIT}?{asked}").status_code == 422


@pytest.mark.parametrize(
    "scope", ["analytics:read", "analytics:write", "tokens:read", "tokens:write"]
)
def test_other_scopes_do_not_read_it(site, client_with, scope):
    assert client_with(site.team, scope)("GET", AUDIT).status_code == 403


def test_narrowed_key_sees_its_sites_alone(owner, site, client_with):
    other = SiteFactory.create(team=site.team)
    for each in (site, other):
        owner("PATCH", f"/sites/{each.site_key}", {"name": "New"})
    owner("POST", "/api/v1/tokens", {"name": "x", "scopes": ["analytics:read"]})
    narrowed = client_with(site.team, "*", sites=[site])
    entries = narrowed("GET", AUDIT).json()["data"]
    assert [entry["site"] for entry in entries] == [site.site_key]


def test_stranger_sees_nothing_of_it(owner, stranger, site):
    owner("PATCH", f"/sites/{site.site_key}", {"name": "New"})
    audit.record("audit.expired")
    assert stranger("GET", AUDIT).json()["data"] == []
    assert len(owner("GET", AUDIT).json()["data"]) == 1


def test_admin_lists_and_shows_it(owner, site):
    owner("PATCH", f"/sites/{site.site_key}", {"name": "<New>"})
    operator = superuser()
    page = operator.get(url("auditentry", "changelist"), {"action": "site.changed"})
    for text in ("site.changed", "example.com", site.team.name, "&lt;New&gt;"):
        assert text in page.content.decode()
    one = url("auditentry", "change", last().pk)
    assert operator.get(one).status_code == 200
    assert operator.post(one, {"action": "x"}).status_code == 403
    assert operator.get(url("auditentry", "add")).status_code == 403
    for filters in (
        {"team_id": site.team_id + 1},
        {"team_id": "x"},
        {"actor_name": "nobody\0"},
        {"subject_id": "x"},
        {"at_from": "2099-01-01"},
        {"at_to": "2020-01-01"},
    ):
        page = operator.get(url("auditentry", "changelist"), filters)
        assert list(page.context["cl"].result_list) == []
    for id in ("0", "x", "9" * 30):
        assert operator.get(url("auditentry", "change", id)).status_code == 404


# The log


def test_log_has_a_line_without_names_or_values(
    owner, site, caplog, django_capture_on_commit_callbacks
):
    caplog.set_level(logging.INFO, "analytics.access.audit")
    with django_capture_on_commit_callbacks(execute=True):
        owner("PATCH", f"/sites/{site.site_key}", {"name": "Secret plan"})
    (line,) = [
        r.getMessage() for r in caplog.records if "site.changed" in r.msg % r.args
    ]
    prefix = ApiToken.objects.get(name="test").key_prefix
    assert line == (
        f"site.changed id={site.site_key} by=key:{prefix} via=api team={site.team_id}"
        f" site={site.site_key} fields=name entry={last().uuid}"
    )
