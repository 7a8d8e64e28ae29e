"""Who may do what: every role, every deed, in the admin, the API and a browser.

The names of the cases end in what is expected, so that
`pytest --collect-only -q tests/analytics/access/test_roles.py` counts them.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from analytics.access import roles
from analytics.access.roles import Deed
from analytics.admin.read_only import address
from analytics.models import ApiToken, AuditEntry, Event, Membership, Role, Site, Team
from goals.models import Goal
from tests.analytics.admin.client import CONFIRMED, key_of, url
from tests.factories import GoalFactory, SiteFactory, TeamFactory, store
from tests.routes import PRIVATE

pytestmark = pytest.mark.django_db

# The owner of another team, a member with each role, and an operator.
PEOPLE = ["stranger", *Role.values, "operator"]
MAY = {
    "stranger": set(),
    "viewer": {Deed.READ},
    "editor": {Deed.READ, Deed.CHANGE_GOALS, Deed.CHANGE_SITES},
    "owner": set(Deed),
    "operator": set(Deed),
}


def user_who_is(who: str, team: Team) -> User:
    user = User.objects.create_user(who, is_staff=True)
    if who == "operator":
        user.is_superuser = True
        user.save()
    elif who == "stranger":
        TeamFactory.create().memberships.create(user=user, role=Role.OWNER)
    else:
        team.memberships.create(user=user, role=who)
    return user


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


# The function


@pytest.mark.parametrize("deed", Deed, ids=lambda deed: deed.name)
@pytest.mark.parametrize("who", PEOPLE)
def test_role_decides(site, who, deed):
    user = user_who_is(who, site.team)
    expected = deed in MAY[who]
    assert roles.may(user, deed, site.team) is expected
    assert (site.team in roles.teams(user, deed)) is expected
    assert (site in roles.sites(user, deed)) is expected
    ids = roles.site_ids(user, deed)
    assert (ids is None or site.pk in ids) is expected


@pytest.mark.parametrize("deed", Deed, ids=lambda deed: deed.name)
def test_nobody_may_do_anything(site, deed):
    inactive = user_who_is("owner", site.team)
    inactive.is_active = False
    gone = User(is_superuser=True, is_active=False)
    for user in (AnonymousUser(), inactive, gone):
        assert not roles.may(user, deed, site.team)
        assert not roles.may_anywhere(user, deed)
        assert not roles.teams(user, deed)
        assert not roles.sites(user, deed)


def test_role_in_one_team_is_none_in_another(site, strangers_site):
    user = user_who_is("owner", site.team)
    strangers_site.team.memberships.create(user=user, role=Role.VIEWER)
    user = User.objects.get(pk=user.pk)
    assert roles.may(user, Deed.MANAGE_KEYS, site.team)
    assert roles.may(user, Deed.READ, strangers_site.team)
    assert not roles.may(user, Deed.MANAGE_KEYS, strangers_site.team)


def test_documented_table_is_what_roles_may():
    text = (Path(__file__).parents[3] / "docs" / "admin.md").read_text()
    table = (
        text.partition("\n## Roles\n")[2]
        .partition("\n| Permission |")[2]
        .split("\n\n")[0]
    )
    rows = [row.strip("| ").split(" | ") for row in table.splitlines()[2:]]
    *told, [_, *operators_alone] = rows
    assert operators_alone == ["no", "no", "no", "yes"]
    assert told == [
        [
            deed.value,
            *("yes" if deed in roles.DEEDS[role] else "no" for role in Role),
            "yes",
        ]
        for deed in Deed
    ]
    assert {role: set(deeds) for role, deeds in roles.DEEDS.items()} == {
        role: MAY[role] for role in Role
    }


@pytest.mark.django_db(transaction=True)
def test_members_of_before_are_owners():
    """From a database of the release before roles, and back."""
    executor = MigrationExecutor(connection)
    leaves = executor.loader.graph.leaf_nodes()
    before = [("analytics", "0014_sources")]
    executor.migrate(before)
    old = executor.loader.project_state(before).apps
    team = old.get_model("analytics", "Team").objects.create(name="Blue")
    users = [old.get_model("auth", "User").objects.create(username=n) for n in "ab"]
    team.members.add(*users)
    try:
        MigrationExecutor(connection).migrate(leaves)
        members = Membership.objects.values_list("user__username", "role")
        assert sorted(members) == [("a", "owner"), ("b", "owner")]
    finally:
        MigrationExecutor(connection).migrate(leaves)


# In the admin


class Things(NamedTuple):
    team: Team
    site: Site
    deleted_site: Site
    goal: Goal
    deleted_goal: Goal
    key: ApiToken
    event: Event
    membership: Membership
    entry: AuditEntry


@pytest.fixture
def things(site):
    store(site, "event", "signup")
    return Things(
        site.team,
        site,
        SiteFactory.create(team=site.team, deleted_at=now()),
        GoalFactory.create(site=site),
        GoalFactory.create(site=site, name="Gone", deleted_at=now()),
        key_of(site.team),
        Event.objects.get(),
        site.team.memberships.create(
            user=User.objects.create_user("somebody"), role=Role.VIEWER
        ),
        AuditEntry.objects.create(team_id=site.team_id, action="site.created"),
    )


_SITE_FORM = {
    "name": "Done",
    "timezone": "UTC",
    "allowed_hosts": "",
    "excluded_ips": "",
    "excluded_paths": "",
}
_GOAL_FORM = {
    "name": "Done",
    "type": "event",
    "match_type": "exact",
    "match_value": "x",
    "currency": "",
}


def _key_form(things: Things, scope: str) -> dict[str, Any]:
    return {
        "name": "Done",
        "team": things.team.pk,
        "scopes": [scope],
        "expires_at_0": "",
        "expires_at_1": "",
    }


def _team_form(things: Things, name: str, role: str) -> dict[str, Any]:
    rows = list(things.team.memberships.all())
    form = {
        "name": name,
        "memberships-TOTAL_FORMS": len(rows),
        "memberships-INITIAL_FORMS": len(rows),
    }
    for number, row in enumerate(rows):
        kept = role if row == things.membership else row.role
        form |= {
            f"memberships-{number}-id": row.pk,
            f"memberships-{number}-team": things.team.pk,
            f"memberships-{number}-user": row.user_id,
            f"memberships-{number}-role": kept,
        }
    return form


class InAdmin(NamedTuple):
    """A deed on a page of the admin: `done` says whether it was done.

    `form` is what is posted; None to look at the page, which is done if it answers.
    """

    label: str
    deed: Deed | None
    url: Callable[[Things], str]
    form: Callable[[Things], dict[str, Any]] | None = None
    done: Callable[[Things], bool] = lambda things: True


def _page(model: str, thing: str) -> Callable[[Things], str]:
    return lambda things: url(model, "change", getattr(things, thing).pk)


def _confirmed(model: str, page: str, thing: str) -> dict[str, Any]:
    """The address of a confirmation page, and what it posts."""
    return {
        "url": lambda things: url(model, page, getattr(things, thing).pk),
        "form": lambda things: CONFIRMED,
    }


def _is_deleted(thing: str) -> Callable[[Things], bool]:
    def is_deleted(things: Things) -> bool:
        row = getattr(things, thing)
        row.refresh_from_db()
        return row.deleted_at is not None

    return is_deleted


def _is_restored(thing: str) -> Callable[[Things], bool]:
    return lambda things: not _is_deleted(thing)(things)


IN_ADMIN = [
    InAdmin("see a site", Deed.READ, _page("site", "site")),
    InAdmin("see a deleted site", Deed.READ, _page("site", "deleted_site")),
    InAdmin("see a goal", Deed.READ, _page("goal", "goal")),
    InAdmin("see a team", Deed.READ, _page("team", "team")),
    InAdmin(
        "see an event",
        Deed.READ,
        lambda things: url("event", "change", address(things.event)),
    ),
    InAdmin("see a key", Deed.MANAGE_KEYS, _page("apitoken", "key")),
    InAdmin(
        "see what was done to a site",
        Deed.READ,
        lambda things: url("site", "history", things.site.pk),
    ),
    InAdmin(
        "make a site",
        Deed.CHANGE_SITES,
        lambda things: url("site", "add"),
        lambda things: {**_SITE_FORM, "domain": "done.com", "team": things.team.pk},
        lambda things: things.team.sites.filter(domain="done.com").exists(),
    ),
    InAdmin(
        "change a site",
        Deed.CHANGE_SITES,
        _page("site", "site"),
        lambda things: {**_SITE_FORM, "domain": "done.com"},
        lambda things: things.team.sites.filter(domain="done.com").exists(),
    ),
    InAdmin(
        "delete a site",
        Deed.DELETE_SITES,
        **_confirmed("site", "delete", "site"),
        done=_is_deleted("site"),
    ),
    InAdmin(
        "restore a site",
        Deed.DELETE_SITES,
        **_confirmed("site", "restore", "deleted_site"),
        done=_is_restored("deleted_site"),
    ),
    InAdmin(
        "delete sites of a list",
        Deed.DELETE_SITES,
        lambda things: url("site", "changelist"),
        lambda things: {
            "action": "delete_selected",
            "_selected_action": [things.site.pk],
            **CONFIRMED,
        },
        _is_deleted("site"),
    ),
    InAdmin(
        "make a goal",
        Deed.CHANGE_GOALS,
        lambda things: url("goal", "add"),
        lambda things: {**_GOAL_FORM, "site": things.site.pk},
        lambda things: things.site.goals.filter(name="Done").exists(),
    ),
    InAdmin(
        "change a goal",
        Deed.CHANGE_GOALS,
        _page("goal", "goal"),
        lambda things: _GOAL_FORM,
        lambda things: things.site.goals.filter(name="Done").exists(),
    ),
    InAdmin(
        "delete a goal",
        Deed.CHANGE_GOALS,
        **_confirmed("goal", "delete", "goal"),
        done=_is_deleted("goal"),
    ),
    InAdmin(
        "restore a goal",
        Deed.CHANGE_GOALS,
        **_confirmed("goal", "restore", "deleted_goal"),
        done=_is_restored("deleted_goal"),
    ),
    *(
        InAdmin(
            f"issue a key with {scope}",
            Deed.MANAGE_KEYS,
            lambda things: url("apitoken", "add"),
            partial(_key_form, scope=scope),
            lambda things: things.team.tokens.filter(name="Done").exists(),
        )
        for scope in ("*", "analytics:read")
    ),
    InAdmin(
        "rename a key",
        Deed.MANAGE_KEYS,
        _page("apitoken", "key"),
        lambda things: {"name": "Done"},
        lambda things: things.team.tokens.filter(name="Done").exists(),
    ),
    InAdmin(
        "revoke a key",
        Deed.MANAGE_KEYS,
        **_confirmed("apitoken", "revoke", "key"),
        done=lambda things: ApiToken.objects.get(pk=things.key.pk).is_revoked,
    ),
    *(
        InAdmin(
            f"{label} a key",
            Deed.MANAGE_KEYS,
            **_confirmed("apitoken", page, "key"),
            done=lambda things: ApiToken.objects.filter(rotates=things.key).exists(),
        )
        for label, page in (
            ("rotate", "rotate"),
            ("rotate at once", "rotate_at_once"),
        )
    ),
    InAdmin(
        "revoke what a key made, too,",
        Deed.MANAGE_KEYS,
        **_confirmed("apitoken", "revoke_with_made", "key"),
        done=lambda things: ApiToken.objects.get(pk=things.key.pk).is_revoked,
    ),
    InAdmin(
        "rename a team",
        Deed.MANAGE_MEMBERS,
        _page("team", "team"),
        lambda things: _team_form(things, "Done", Role.VIEWER),
        lambda things: Team.objects.filter(name="Done").exists(),
    ),
    InAdmin(
        "change a role",
        Deed.MANAGE_MEMBERS,
        _page("team", "team"),
        lambda things: _team_form(things, things.team.name, Role.EDITOR),
        lambda things: things.team.memberships.filter(
            pk=things.membership.pk, role=Role.EDITOR
        ).exists(),
    ),
    InAdmin(
        "see an entry of the audit trail",
        Deed.SEE_AUDIT,
        lambda things: url("auditentry", "change", things.entry.pk),
    ),
    InAdmin("make a team", None, lambda things: url("team", "add")),
    InAdmin("see the users", None, lambda things: url("user", "changelist")),
    InAdmin(
        "delete a team",
        None,
        lambda things: url("team", "delete", things.team.pk),
    ),
]


def expected(who: str, deed: Deed | None) -> bool:
    """None: what operators alone may do."""
    return who == "operator" if deed is None else deed in MAY[who]


ADMIN_CASES = [
    pytest.param(
        who,
        case,
        id=f"{who}: {case.label}: "
        f"{'allowed' if expected(who, case.deed) else 'refused'}",
    )
    for who in PEOPLE
    for case in IN_ADMIN
]


@pytest.mark.parametrize(("who", "case"), ADMIN_CASES)
def test_admin_allows_what_the_role_does(things, who, case):
    client = browser_of(user_who_is(who, things.team))
    target = case.url(things)
    response = (
        client.post(target, case.form(things)) if case.form else client.get(target)
    )
    if expected(who, case.deed):
        assert response.status_code in (200, 302)
        assert case.done(things)
        return
    if case.form:
        assert not case.done(things)
        # A form that offers no other team says so; all else is refused.
        is_form = target.endswith("/add/") or target == url("site", "changelist")
        assert response.status_code in ((200, 302, 403) if is_form else (403, 404))
    else:
        assert response.status_code in (403, 404)
    if who == "stranger" and str(things.team) in response.content.decode():
        pytest.fail("A stranger reads the name of the team.")


LISTS = ["site", "goal", "event", "dropcount", "team", "apitoken", "auditentry"]


@pytest.mark.parametrize("model", LISTS)
@pytest.mark.parametrize("who", PEOPLE)
def test_list_and_its_filters_name_own_things_alone(things, who, model):
    things.team.name = "Zanzibar"
    things.team.save()
    things.site.domain = "zanzibar.example"
    things.site.save()
    client = browser_of(user_who_is(who, things.team))
    deeds = {"apitoken": Deed.MANAGE_KEYS, "auditentry": Deed.SEE_AUDIT}
    deed = deeds.get(model, Deed.READ)
    for query in (
        {},
        {"site__id__exact": things.site.pk},
        {"team__id__exact": things.team.pk},
        {"site_id": things.site.pk},
        {"team_id": things.team.pk},
        {"q": "zanzi"},
    ):
        response = client.get(url(model, "changelist"), query, follow=True)
        shown = "zanzibar" in response.content.decode().lower()
        assert shown <= expected(who, deed)
    # The last looks for the name, where there is something that can have it.
    if model in ("site", "team"):
        assert shown is expected(who, deed)


@pytest.mark.parametrize("who", PEOPLE)
def test_team_is_offered_to_those_who_are_in_it(site, who):
    client = browser_of(user_who_is(who, site.team))
    query = {"app_label": "analytics", "model_name": "site", "field_name": "team"}
    offered = client.get(reverse("admin:autocomplete"), query).json()["results"]
    names = {row["text"] for row in offered}
    assert (site.team.name in names) is expected(who, Deed.READ)


@pytest.mark.parametrize("who", PEOPLE)
def test_users_are_offered_to_operators_alone(site, who):
    client = browser_of(user_who_is(who, site.team))
    query = {"app_label": "analytics", "model_name": "membership", "field_name": "user"}
    response = client.get(reverse("admin:autocomplete"), query)
    assert response.status_code == (200 if who == "operator" else 403)


def test_list_of_keys_shows_only_teams_that_one_owns(site, strangers_site):
    """An owner here is a viewer there: a page for all teams must not mix them."""
    mine, foreign = key_of(site.team), key_of(strangers_site.team)
    user = user_who_is("owner", site.team)
    strangers_site.team.memberships.create(user=user, role=Role.VIEWER)
    client = browser_of(user)
    listed = client.get(url("apitoken", "changelist")).context["cl"].result_list
    assert list(listed) == [mine]
    form = {
        "action": "revoke_selected",
        "_selected_action": [mine.pk, foreign.pk],
        **CONFIRMED,
    }
    client.post(url("apitoken", "changelist"), form)
    assert list(ApiToken.objects.filter(revoked_at=None)) == [foreign]


def test_action_on_rows_of_a_team_where_one_may_only_look_does_nothing(
    site, strangers_site
):
    user = user_who_is("owner", site.team)
    strangers_site.team.memberships.create(user=user, role=Role.EDITOR)
    form = {
        "action": "delete_selected",
        "_selected_action": [site.pk, strangers_site.pk],
        **CONFIRMED,
    }
    response = browser_of(user).post(url("site", "changelist"), form)
    assert response.status_code == 403
    assert not Site.objects.exclude(deleted_at=None).exists()


def test_only_team_is_chosen_already(site):
    SiteFactory.create()
    client = browser_of(user_who_is("owner", site.team))
    form = client.get(url("apitoken", "add")).context["adminform"].form
    assert form["team"].value() == site.team.pk


def test_key_of_one_team_is_not_narrowed_to_a_site_of_another(site, strangers_site):
    client = browser_of(user_who_is("owner", site.team))
    form = {
        "name": "Done",
        "team": site.team.pk,
        "scopes": ["*"],
        "sites": [strangers_site.pk],
        "expires_at_0": "",
        "expires_at_1": "",
    }
    response = client.post(url("apitoken", "add"), form)
    assert response.status_code == 200
    assert strangers_site.domain not in response.content.decode()
    assert not ApiToken.objects.exists()


# In the API, by a key with the scopes that stand for the role

SCOPES = {
    "viewer": ["analytics:read"],
    "editor": ["analytics:read", "analytics:write"],
    "owner": ["*"],
}
API_CASES = [
    pytest.param(
        who,
        route,
        id=f"{who}: {route.label}: "
        f"{'allowed' if {'*', route.scope} & set(SCOPES[who]) else 'refused'}",
    )
    for who in SCOPES
    for route in PRIVATE
]


@pytest.mark.parametrize(("who", "route"), API_CASES)
def test_api_allows_what_the_scopes_of_the_role_do(site, ids, client_with, who, route):
    call = client_with(site.team, *SCOPES[who])
    body = b"" if route.body is None else route.body
    answer = call(route.method, route.url(**ids), body)
    is_allowed = bool({"*", route.scope} & set(SCOPES[who]))
    assert (answer.status_code == 403) is not is_allowed


@pytest.mark.parametrize("who", PEOPLE)
def test_signing_in_opens_no_route_of_the_api(site, ids, who):
    client = browser_of(user_who_is(who, site.team))
    for route in PRIVATE:
        response = client.generic(route.method, route.url(**ids))
        assert response.status_code == 401
