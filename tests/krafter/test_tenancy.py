"""Another team's things do not exist: 404, never 403, and nothing changes."""

import pytest
from django.apps import apps

from analytics.access import audit
from analytics.models import ApiToken, Site
from goals.models import Goal
from tests.factories import GoalFactory, SiteFactory, store
from tests.routes import PRIVATE, labels

pytestmark = pytest.mark.django_db

OWNED = [route for route in PRIVATE if "{" in route.path]
LISTS = [r for r in PRIVATE if "{" not in r.path and r.method == "GET"]
ON_A_SITE = [route for route in OWNED if "{site}" in route.path]
BELOW_A_SITE = [r for r in ON_A_SITE if r.path.count("{") > 1]
OF_A_GOAL = [route for route in ON_A_SITE if "{goal}" in route.path]
NOT_FOUND = (404, {"error": "Not found"})


def rows():
    """Everything stored, apart from the note that a key was used."""
    stored = {
        model: sorted(
            str({**row, "last_used_at": None})
            for row in model._default_manager.values()
        )
        for label in ("analytics", "goals")
        for model in apps.get_app_config(label).get_models()
    }
    assert stored[Site]
    assert stored[ApiToken]
    return stored


def answer(response):
    return response.status_code, response.json()


@pytest.mark.parametrize("route", OWNED, ids=labels(OWNED))
def test_stranger_finds_nothing_and_changes_nothing(route, stranger, ids):
    before = rows()
    response = stranger(route.method, route.url(**ids), route.body or b"")
    assert answer(response) == NOT_FOUND
    assert rows() == before


@pytest.mark.parametrize("route", OWNED, ids=labels(OWNED))
def test_foreign_and_unknown_look_the_same(route, stranger, ids):
    unknown = {
        "site": "sk_unknownunkno",
        **dict.fromkeys(ids.keys() - {"site"}, "00000000-0000-4000-8000-000000000000"),
    }
    foreign = stranger(route.method, route.url(**ids), route.body or b"")
    absent = stranger(route.method, route.url(**unknown), route.body or b"")
    assert answer(foreign) == answer(absent) == NOT_FOUND
    assert foreign.headers.keys() == absent.headers.keys()


@pytest.mark.parametrize("route", LISTS, ids=labels(LISTS))
def test_stranger_lists_only_his_own(route, owner, stranger, site, ids):
    audit.record("site.changed", site)

    def told(call):
        shown = b"".join(call(route.method, route.url())).decode()
        return {name for name in ids if str(ids[name]) in shown}

    exported = {"site", "goal", "deleted_goal", "annotation", "funnel"}
    assert told(owner) in ({"site"}, {"token"}, {"deleted_site"}, exported)
    assert told(stranger) == set()


@pytest.mark.parametrize("route", BELOW_A_SITE, ids=labels(BELOW_A_SITE))
def test_own_site_is_no_way_to_a_foreign_goal(route, stranger, strangers_site, ids):
    before = rows()
    url = route.url(**{**ids, "site": strangers_site.site_key})
    assert answer(stranger(route.method, url, route.body or b"")) == NOT_FOUND
    assert rows() == before


@pytest.mark.parametrize("route", BELOW_A_SITE, ids=labels(BELOW_A_SITE))
def test_goal_is_found_on_its_own_site_only(route, owner, site, ids):
    other = SiteFactory.create(team=site.team)
    url = route.url(**{**ids, "site": other.site_key})
    assert answer(owner(route.method, url, route.body or b"")) == NOT_FOUND


def test_stranger_makes_a_site_of_his_own(stranger, strangers_site, site):
    made = stranger("POST", "/sites", {"domain": "new.example", "name": "New"})
    key = made.json()["data"]["site_key"]
    assert Site.objects.get(site_key=key).team == strangers_site.team


def test_domain_of_another_team_is_free(stranger, site):
    body = {"domain": site.domain, "name": "Same"}
    assert stranger("POST", "/sites", body).status_code == 201


def test_counts_of_two_sites_do_not_mix(owner, stranger, site, strangers_site):
    for where in (site, site, strangers_site):
        store(where, "event", "signup")
    counts = {}
    for call, where in ((owner, site), (stranger, strangers_site)):
        goal = GoalFactory.create(site=where, match_value="signup")
        url = f"/sites/{where.site_key}/goals/{goal.id}/stats"
        counts[where] = call("GET", url).json()["data"]["conversions"]
    assert counts == {site: 2, strangers_site: 1}


def test_same_event_id_on_two_sites_counts_on_both(
    owner, stranger, site, strangers_site
):
    body = {"type": "event", "name": "signup", "id": "same", "visitor_id": "v"}
    for call, where in ((owner, site), (stranger, strangers_site)):
        response = call("POST", f"/sites/{where.site_key}/events", body)
        assert response.json()["data"][0]["status"] == "accepted"


# A key that is narrowed to one of its team's sites


@pytest.fixture
def other(site):
    return SiteFactory.create(team=site.team, domain="other.example")


@pytest.fixture
def narrowed(other, client_with):
    return client_with(other.team, "*", sites=[other])


@pytest.mark.parametrize("route", ON_A_SITE, ids=labels(ON_A_SITE))
def test_narrowed_key_does_not_reach_the_teams_other_sites(route, narrowed, ids):
    before = rows()
    response = narrowed(route.method, route.url(**ids), route.body or b"")
    assert answer(response) == NOT_FOUND
    assert rows() == before


def test_narrowed_key_reaches_its_own_site(narrowed, other, ids):
    goal = GoalFactory.create(site=other)
    for path in ("", "/settings", "/events", "/goals", f"/goals/{goal.id}/stats"):
        assert narrowed("GET", f"/sites/{other.site_key}{path}").status_code == 200


def test_narrowed_key_lists_its_own_sites(narrowed, other, ids):
    listed = narrowed("GET", "/sites").json()["data"]
    assert [row["site_key"] for row in listed] == [other.site_key]


def test_narrowed_key_makes_no_site(narrowed):
    response = narrowed("POST", "/sites", {"domain": "new.example", "name": "New"})
    assert answer(response) == (403, {"error": "Insufficient scope"})


def test_key_whose_last_site_is_removed_reaches_nothing(site, client_with):
    call = client_with(site.team, "*", sites=[site])
    ApiToken.objects.get().sites.clear()
    assert call("GET", "/sites").json() == {"data": []}
    assert call("GET", f"/sites/{site.site_key}").status_code == 404


@pytest.mark.parametrize("route", ON_A_SITE, ids=labels(ON_A_SITE))
def test_deleted_site_is_gone_for_its_owner(route, owner, site, ids):
    owner("DELETE", f"/sites/{site.site_key}")
    response = owner(route.method, route.url(**ids), route.body or b"")
    assert answer(response) == NOT_FOUND


@pytest.mark.parametrize("route", OF_A_GOAL, ids=labels(OF_A_GOAL))
def test_deleted_goal_is_gone_for_its_owner(route, owner, ids):
    owner("DELETE", "/sites/{site}/goals/{goal}".format(**ids))
    response = owner(route.method, route.url(**ids), route.body or b"")
    assert answer(response) == NOT_FOUND
    assert Goal.objects.get(pk=ids["goal"]).deleted_at is not None
