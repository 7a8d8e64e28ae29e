"""POST /sites/:key/goals/apply: goals as a set, and the planning behind it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from analytics.models import Event
from goals.models import MAX_GOALS, Goal
from goals.sets.diff import Definition, Plan, plan, repeated
from tests.factories import GoalFactory, SiteFactory, store

SIGNUP = {
    "name": "Signup",
    "type": "event",
    "match_type": "exact",
    "match_value": "signup",
    "currency": None,
}
PURCHASE = {**SIGNUP, "name": "Purchase", "type": "custom", "currency": "USD"}


# The plan, without a database

A = Definition("a", "event", "exact", "a")
B = Definition("b", "event", "exact", "b")
C = Definition("c", "event", "exact", "c")
OTHER_B = B._replace(currency="USD")


@pytest.mark.parametrize(
    ("present", "wanted", "delete_missing", "expected"),
    [
        ({}, [], True, Plan([], [], [], [])),
        ({}, [B, A], True, Plan([B, A], [], [], [])),
        ({1: A, 2: B}, [B, A], True, Plan([], [], [], [1, 2])),
        ({1: A, 2: B}, [], True, Plan([], [], [1, 2], [])),
        ({1: A, 2: B}, [], False, Plan([], [], [], [1, 2])),
        ({1: A, 2: B}, [OTHER_B, C], True, Plan([C], [(2, OTHER_B)], [1], [])),
        ({1: A, 2: B}, [OTHER_B, C], False, Plan([C], [(2, OTHER_B)], [], [1])),
        (
            {1: A},
            [A._replace(name="A")],
            True,
            Plan([A._replace(name="A")], [], [1], []),
        ),
    ],
)
def test_plan_is_the_least_that_does_it(present, wanted, delete_missing, expected):
    assert plan(present, wanted, delete_missing=delete_missing) == expected


def test_repeated_names_are_named_once():
    assert repeated(["a", "b", "a", "a"]) == ["a"]


# The API


@pytest.fixture
def apply(writer, site):
    def send(*goals, path="", queries=None, **fields):
        url = f"/sites/{site.site_key}/goals/apply{path}"
        return writer("POST", url, {"goals": goals, **fields}, queries=queries)

    return send


def planned(response):
    assert response.status_code == 200, response.content
    return response.json()["data"]


def stored(site):
    fields = SIGNUP.keys()
    return [
        {field: getattr(goal, field) for field in fields}
        for goal in site.goals.undeleted()
    ]


def names(goals):
    return [goal["name"] for goal in goals]


@pytest.mark.django_db
def test_goals_of_an_empty_site_are_made_in_their_order(apply, site):
    goals = [PURCHASE, SIGNUP, {**SIGNUP, "name": "A"}]
    made = planned(apply(*goals))
    assert stored(site) == goals
    assert names(made["create"]) == ["Purchase", "Signup", "A"]
    ids = [str(goal.id) for goal in site.goals.undeleted()]
    assert [goal["id"] for goal in made["create"]] == ids


@pytest.mark.django_db
def test_each_goal_is_made_changed_deleted_or_kept(apply, site):
    kept = GoalFactory.create(site=site, name="Kept")
    changed = GoalFactory.create(site=site, name="Changed")
    gone = GoalFactory.create(site=site, name="Gone")
    done = planned(
        apply(
            PURCHASE,
            {**SIGNUP, "name": "Changed", "currency": "EUR"},
            {**SIGNUP, "name": "Kept"},
        )
    )
    assert names(done["create"]) == ["Purchase"]
    before = {"id": str(changed.id), **SIGNUP, "name": "Changed"}
    assert done["change"] == [
        {"before": before, "after": {**before, "currency": "EUR"}}
    ]
    assert done["delete"] == [{"id": str(gone.id), **SIGNUP, "name": "Gone"}]
    assert done["keep"] == [{"id": str(kept.id), **SIGNUP, "name": "Kept"}]
    assert {goal.name: goal.currency for goal in site.goals.undeleted()} == {
        "Kept": None,
        "Changed": "EUR",
        "Purchase": "USD",
    }
    updated_at = changed.updated_at
    changed.refresh_from_db()
    assert changed.updated_at > updated_at


@pytest.mark.django_db
def test_deleted_goal_is_gone_but_its_events_stay(apply, owner, site):
    goal = GoalFactory.create(site=site)
    store(site, goal.type, goal.match_value)
    apply()
    assert owner("GET", f"/sites/{site.site_key}/goals/{goal.id}").status_code == 404
    assert Goal.objects.get().deleted_at is not None
    assert Event.objects.count() == 1
    made = planned(apply(SIGNUP))["create"][0]
    stats = owner("GET", f"/sites/{site.site_key}/goals/{made['id']}/stats")
    assert stats.json()["data"]["conversions"] == 1


@pytest.mark.django_db
def test_missing_goals_are_kept_on_request(apply, site):
    GoalFactory.create(site=site, name="Other")
    done = planned(apply(PURCHASE, delete_missing=False))
    assert (names(done["delete"]), names(done["keep"])) == ([], ["Other"])
    assert site.goals.undeleted().count() == 2


@pytest.mark.django_db
def test_dry_run_says_the_same_and_does_nothing(apply, site):
    for name in ("Changed", "Gone", "Kept"):
        GoalFactory.create(site=site, name=name)
    wanted = [
        PURCHASE,
        {**SIGNUP, "name": "Changed", "match_value": "x"},
        {**SIGNUP, "name": "Kept"},
    ]
    before = stored(site)
    said = planned(apply(*wanted, path="?dry_run=true"))
    assert stored(site) == before
    assert said["create"][0].pop("id") is None
    done = planned(apply(*wanted, path="?dry_run=false"))
    assert done["create"][0].pop("id")
    assert said == done


@pytest.mark.django_db
def test_applied_again_changes_nothing(apply, site):
    apply(PURCHASE, SIGNUP)
    ids = list(site.goals.values_list("id", "updated_at"))
    again = planned(apply(PURCHASE, SIGNUP))
    assert {name: len(again[name]) for name in again} == {
        "create": 0,
        "change": 0,
        "delete": 0,
        "keep": 2,
    }
    assert list(site.goals.values_list("id", "updated_at")) == ids


@pytest.mark.django_db
def test_list_of_the_api_can_be_applied_as_it_is(apply, owner, site):
    GoalFactory.create(site=site, name="Signup", currency="EUR")
    listed = owner("GET", f"/sites/{site.site_key}/goals").json()["data"]
    assert planned(apply(*listed))["keep"] == listed


@pytest.mark.django_db
def test_left_out_currency_is_none(apply, site):
    GoalFactory.create(site=site, currency="USD")
    without = {field: SIGNUP[field] for field in SIGNUP.keys() - {"currency"}}
    assert planned(apply(without))["change"][0]["after"]["currency"] is None


@pytest.mark.django_db
def test_names_are_trimmed_before_they_are_compared(apply, site):
    GoalFactory.create(site=site)
    assert names(planned(apply({**SIGNUP, "name": " Signup "}))["keep"]) == ["Signup"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("goals", "wrong"),
    [
        (
            [SIGNUP, {**PURCHASE, "match_type": "regex", "match_value": "("}],
            "goals.1.match_value",
        ),
        ([{**SIGNUP, "type": "click"}], "goals.0.type"),
        ([{**SIGNUP, "color": "red"}], "goals.0.color"),
        ([{"name": "Signup"}], "goals.0.match_value"),
        ([SIGNUP, "text"], "goals.1.non_field_errors"),
        ([SIGNUP, 1], "goals.1.non_field_errors"),
        ([SIGNUP, None], "goals.1"),
        ([SIGNUP, PURCHASE, {**PURCHASE, "name": " Signup"}], "goals.2.name"),
        ("text", "goals.non_field_errors"),
        ({}, "goals.non_field_errors"),
        (None, "goals"),
    ],
)
def test_wrong_goal_is_named_by_its_place_and_nothing_is_done(
    writer, site, goals, wrong
):
    GoalFactory.create(site=site, name="Old")
    url = f"/sites/{site.site_key}/goals/apply"
    response = writer("POST", url, {"goals": goals})
    assert response.status_code == 422, response.content
    assert wrong in response.json()["details"]
    assert [goal.name for goal in site.goals.undeleted()] == ["Old"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "wrong"),
    [({"delete_missing": "no"}, "delete_missing"), ({"dry_run": True}, "dry_run")],
)
def test_wrong_field_is_refused(apply, fields, wrong):
    response = apply(SIGNUP, **fields)
    assert response.status_code == 422
    assert list(response.json()["details"]) == [wrong]


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["?dry_run=1", "?dry_run=", "?dry=true"])
def test_misspelt_dry_run_does_nothing(apply, site, path):
    assert apply(SIGNUP, path=path).status_code == 422
    assert stored(site) == []


@pytest.mark.django_db
def test_names_that_the_site_has_twice_are_refused(apply, site):
    GoalFactory.create_batch(2, site=site)
    response = apply(PURCHASE)
    assert response.status_code == 422
    (message,) = response.json()["details"]["goals"]
    assert "'Signup'" in message
    assert site.goals.undeleted().count() == 2


@pytest.mark.django_db
def test_goals_of_other_sites_and_deleted_ones_are_left_alone(apply, site):
    other = GoalFactory.create(site=SiteFactory.create(team=site.team))
    deleted = GoalFactory.create(site=site, deleted_at=site.created_at)
    assert names(planned(apply(SIGNUP))["create"]) == ["Signup"]
    other.refresh_from_db()
    deleted.refresh_from_db()
    assert (other.deleted_at, deleted.deleted_at) == (None, site.created_at)


@pytest.mark.django_db
def test_site_holds_a_thousand_goals_and_no_more(apply, site):
    goals = [{**SIGNUP, "name": str(number)} for number in range(MAX_GOALS + 1)]
    assert apply(*goals).status_code == 422
    assert len(planned(apply(*goals[:MAX_GOALS], queries=None))["create"]) == MAX_GOALS
    response = apply(goals[MAX_GOALS], delete_missing=False)
    assert response.status_code == 422
    assert response.json()["details"]["goals"] == ["A site holds at most 1000 goals."]
    changed = [{**goal, "currency": "EUR"} for goal in goals[1:]]
    done = planned(apply(*changed))
    assert (len(done["change"]), len(done["create"]), len(done["delete"])) == (
        999,
        1,
        1,
    )


def test_many_at_once_make_no_goal_twice(service):
    site = service.new_site()
    lists = [[SIGNUP, PURCHASE], [PURCHASE], [SIGNUP]]

    def change(number):
        path = f"/sites/{site}/goals"
        if number % 4 == 3:
            return service("POST", path, {**SIGNUP, "name": f"Other {number}"}).status
        return service("POST", f"{path}/apply", {"goals": lists[number % 4]}).status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(change, range(24))) == {200, 201}
    assert (
        service("POST", f"/sites/{site}/goals/apply", {"goals": lists[0]}).status == 200
    )
    listed = service("GET", f"/sites/{site}/goals").json()["data"]
    assert sorted(names(listed)) == ["Purchase", "Signup"]
