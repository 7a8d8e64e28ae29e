"""Every page of the admin: who may see it, and at what cost."""

from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse

from analytics.admin.read_only import address
from analytics.models import ApiToken, DropCount, Event, OfOneSite, Site, Team
from goals.models import Goal
from tests.analytics.admin.client import CONFIRMED, key_of, staff, superuser, url
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
    "group": Group,
}


@pytest.fixture
def operator(db):
    return superuser()


def fill(site, numbers):
    """A row of every kind for each number, all of which the lists show."""
    for number in numbers:
        member = User.objects.create_user(f"user{number}")
        member.groups.add(Group.objects.create(name=f"group{number}"))
        SiteFactory.create().team.members.add(member)
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
    queries = queries_of_row(operator, model)
    fill(site, range(3, 30))
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
def test_page_refuses_staff_without_the_permission(site, model):
    response = staff().get(url(model, "changelist"))
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

    client = staff(f"view_{model}")
    page = client.get(url(model, "change", row.pk))
    assert page.status_code == 200
    assert url(model, confirmed_action, row.pk) not in page.content.decode()
    assert (
        client.post(url(model, confirmed_action, row.pk), CONFIRMED).status_code == 403
    )
    form = {"action": f"{confirmed_action}_selected", "_selected_action": [row.pk]}
    client.post(url(model, "changelist") + "?state=all", form | CONFIRMED)
    assert rows.values().get() == before


@pytest.mark.parametrize(("model", "confirmed_action"), DEEDS)
def test_deed_on_what_does_not_exist_is_refused(operator, model, confirmed_action):
    assert operator.get(url(model, confirmed_action, "none")).status_code in (403, 404)


def test_menu_shows_what_one_may_look_at(db):
    page = staff("view_goal").get(reverse("admin:index")).content.decode()
    assert url("goal", "changelist") in page
    assert url("site", "changelist") not in page


def test_team_is_given_members(operator, django_user_model):
    member = django_user_model.objects.create_user("member")
    operator.post(url("team", "add"), {"name": "Blue", "members": [member.pk]})
    assert list(Team.objects.get().members.all()) == [member]


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
