"""Every page of the admin: who may see it, and at what cost."""

from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse

from analytics.admin.read_only import address
from analytics.models import ApiToken, DropCount, Event, OfOneSite, Role, Site, Team
from goals.models import Goal
from tests.analytics.admin.client import (
    CONFIRMED,
    errors,
    key_of,
    member,
    superuser,
    url,
)
from tests.factories import GoalFactory, SiteFactory, TeamFactory, store
from tests.queries import captured_queries

MODELS: dict[str, Any] = {
    "site": Site,
    "goal": Goal,
    "event": Event,
    "dropcount": DropCount,
    "apitoken": ApiToken,
    "team": Team,
    "user": User,
}


@pytest.fixture
def operator(db):
    return superuser()


def fill(site, numbers):
    """A row of every kind for each number, all of which the lists show."""
    for number in numbers:
        user = User.objects.create_user(f"user{number}")
        SiteFactory.create().team.memberships.create(user=user, role=Role.OWNER)
        key_of(site.team, sites=[site, SiteFactory.create(team=site.team)])
        GoalFactory.create(site=SiteFactory.create())
        store(site, "event", f"event{number}", page=f"/page{number}")
        drop = {"site_id": site.pk, "day": date.min, "rule": f"rule{number}"}
        DropCount.objects.create(count=number, **drop)


def queries_of_list(client, model, site):
    query = {"site__id__exact": site.pk} if model == "event" else {}
    with captured_queries() as captured:
        response = client.get(url(model, "changelist"), query)
    assert response.status_code == 200
    return len(captured), len(response.context["cl"].result_list)


@pytest.fixture(autouse=True)
def remember_content_types(operator):
    """They are asked for once a process, which is not what is counted."""
    operator.get(reverse("admin:index"))
    for model in MODELS.values():
        ContentType.objects.get_for_model(model)


def queries_of_row(client, model):
    row = MODELS[model].objects.order_by("pk").last()
    page = address(row) if isinstance(row, OfOneSite) else row.pk
    with captured_queries() as captured:
        response = client.get(url(model, "change", page))
    assert response.status_code == 200
    return len(captured)


@pytest.mark.parametrize("model", MODELS)
def test_list_takes_as_many_queries_for_30_rows_as_for_3(operator, site, model):
    fill(site, range(3))
    queries, rows = queries_of_list(operator, model, site)
    fill(site, range(3, 30))
    more_queries, more_rows = queries_of_list(operator, model, site)
    assert more_rows >= rows + 27
    assert more_queries == queries <= 12


@pytest.mark.parametrize("model", MODELS)
def test_form_takes_as_many_queries_for_30_rows_as_for_3(operator, site, model):
    fill(site, range(3))
    # What is remembered between two looks is not a matter of the rows.
    queries_of_row(operator, model)
    queries = queries_of_row(operator, model)
    fill(site, range(3, 30))
    queries_of_row(operator, model)
    assert queries_of_row(operator, model) == queries <= 20


@pytest.mark.parametrize(
    "model", [name for name in MODELS if name not in ("event", "dropcount")]
)
def test_empty_form_answers(operator, site, model):
    assert operator.get(url(model, "add")).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_page_refuses_who_is_not_of_the_staff(db, site, model):
    visitor = Client()
    for _ in range(2):
        response = visitor.get(url(model, "changelist"))
        assert response.status_code == 302
        assert response.headers["Location"].startswith(reverse("admin:login"))
        visitor.force_login(User.objects.get_or_create(username="customer")[0])


@pytest.mark.parametrize("model", MODELS)
def test_page_refuses_staff_without_a_team(site, model):
    response = member().get(url(model, "changelist"))
    assert response.status_code == 403


DEEDS = [
    ("site", "delete"),
    ("site", "restore"),
    ("goal", "delete"),
    ("goal", "restore"),
    ("apitoken", "revoke"),
]


@pytest.mark.parametrize(("model", "confirmed_action"), DEEDS)
def test_who_may_only_look_changes_nothing(site, model, confirmed_action):
    row = {
        "site": site,
        "goal": GoalFactory.create(site=site),
        "apitoken": key_of(site.team),
    }[model]
    rows = MODELS[model].objects.filter(pk=row.pk)
    if confirmed_action == "restore":
        rows.update(deleted_at=site.created_at)
    before = rows.values().get()

    role = Role.EDITOR if model == "site" else Role.VIEWER
    client = member((site.team, role))
    page = client.get(url(model, "change", row.pk))
    # Only owners see keys.
    assert page.status_code == (404 if model == "apitoken" else 200)
    assert url(model, confirmed_action, row.pk) not in page.content.decode()
    refused = client.post(url(model, confirmed_action, row.pk), CONFIRMED)
    assert refused.status_code == (404 if model == "apitoken" else 403)
    form = {"action": f"{confirmed_action}_selected", "_selected_action": [row.pk]}
    client.post(url(model, "changelist") + "?state=all", form | CONFIRMED)
    assert rows.values().get() == before


@pytest.mark.parametrize(("model", "confirmed_action"), DEEDS)
def test_deed_on_what_does_not_exist_is_refused(operator, model, confirmed_action):
    assert operator.get(url(model, confirmed_action, "none")).status_code in (403, 404)


def test_menu_shows_what_one_may_look_at(site):
    client = member((site.team, Role.EDITOR))
    page = client.get(reverse("admin:index")).content.decode()
    assert url("goal", "changelist") in page
    assert url("apitoken", "changelist") not in page
    assert url("user", "changelist") not in page


def test_team_is_given_members(operator, django_user_model):
    user = django_user_model.objects.create_user("member")
    form = {
        "name": "Blue",
        "memberships-TOTAL_FORMS": 1,
        "memberships-INITIAL_FORMS": 0,
        "memberships-0-user": user.pk,
        "memberships-0-role": "editor",
    }
    operator.post(url("team", "add"), form)
    team = Team.objects.get()
    assert list(team.members.all()) == [user]
    assert team.memberships.get().role == Role.EDITOR


@pytest.mark.parametrize("name", ["Blue\u202e", "Blue\x85Red", "B\nR", "\u2066B"])
def test_name_of_a_team_is_one_printable_line(operator, name):
    team = TeamFactory.create()
    form = {"name": name}
    form |= {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
    for page in (url("team", "add"), url("team", "change", team.pk)):
        assert "not allowed" in str(errors(operator.post(page, form)))
    assert [team.name] == [each.name for each in Team.objects.all()]


def test_team_with_sites_or_keys_is_not_deleted(operator, site):
    key_of(TeamFactory.create(name="with a key"))
    for team in Team.objects.all():
        operator.post(url("team", "delete", team.pk), {"post": "yes"})
    assert Team.objects.count() == 2


def test_user_is_created_with_a_password(operator):
    form = {
        "username": "new",
        "password1": "correct horse battery",
        "password2": "correct horse battery",
        "usable_password": "true",
    }
    operator.post(url("user", "add"), form)
    assert User.objects.get(username="new").check_password("correct horse battery")


def test_address_without_a_slash_leads_to_the_admin(client):
    answer = client.get("/admin")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")


LEAKS = [
    ("apitoken", "digest__startswith"),
    ("apitoken", "team__tokens__digest__startswith"),
    ("apitoken", "team__members__password__startswith"),
    ("site", "tokens__digest__startswith"),
    ("site", "team__tokens__digest__startswith"),
    ("goal", "site__team__tokens__digest__startswith"),
    ("goal", "name__startswith"),
    ("team", "tokens__digest__startswith"),
    ("team", "members__password__startswith"),
    ("user", "password__startswith"),
    ("user", "teams__tokens__digest__startswith"),
    ("auditentry", "changes__startswith"),
]


@pytest.mark.parametrize(("model", "lookup"), LEAKS)
def test_list_cannot_be_filtered_by_other_columns(operator, model, lookup):
    """Who sees the list could read a column that it does not show, letter by letter."""
    answer = operator.get(url(model, "changelist"), {lookup: "a"})
    assert answer.status_code == 400


FILTERS = [
    ("apitoken", {"team__id__exact": "1", "state": "usable"}),
    ("site", {"team__id__exact": "1", "state": "all"}),
    ("goal", {"site__id__exact": "1", "type__exact": "event"}),
    ("goal", {"match_type__exact": "regex"}),
    ("user", {"is_staff__exact": "1", "is_superuser__exact": "0"}),
    ("user", {"groups__id__exact": "1"}),
]


@pytest.mark.parametrize(("model", "query"), FILTERS)
def test_filters_of_a_list_work(operator, model, query):
    assert operator.get(url(model, "changelist"), query).status_code == 200


@pytest.mark.parametrize("model", ["user", "site", "goal", "apitoken", "team"])
def test_only_one_thing_focuses_a_field_of_a_new_row(operator, model):
    """Django's script does. With `autofocus` too, browsers complain now and then."""
    page = operator.get(url(model, "add"))
    assert page.status_code == 200
    assert b"admin/js/change_form" in page.content
    assert b"autofocus" not in page.content
