"""Funnels that are saved with a name, over the API."""

from urllib.parse import urlencode

import pytest

from analytics.events import Labels
from analytics.models import AuditEntry
from goals import copies
from goals.funnels import changes
from goals.models import Goal
from tests.factories import GoalFactory, SiteFactory, store

pytestmark = pytest.mark.django_db

VIEW = {"type": "pageview", "match_type": "exact", "match_value": "/"}


@pytest.fixture
def goal(site):
    return GoalFactory.create(site=site)


@pytest.fixture
def body(goal):
    return {
        "name": "To the signup",
        "steps": [VIEW, {"goal": str(goal.pk)}],
        "window_minutes": 60,
    }


@pytest.fixture
def address(site):
    return f"/sites/{site.site_key}/funnels"


@pytest.fixture
def saved(writer, address, body):
    row = writer("POST", address, body).json()["data"]
    return f"{address}/{row['id']}"


def test_funnel_is_saved_read_changed_and_deleted(writer, reader, address, body):
    made = writer("POST", address, body)
    assert made.status_code == 201
    row = made.json()["data"]
    assert row == {"id": row["id"], **body}
    own = f"{address}/{row['id']}"
    assert made.headers["Location"] == f"/api/v1/analytics{own}"
    assert reader("GET", own).json()["data"] == row
    assert reader("GET", address).json()["data"] == [row]
    changed = writer("PATCH", own, {"name": "Way", "window_minutes": None}).json()
    assert changed["data"] == row | {"name": "Way", "window_minutes": None}
    assert writer("DELETE", own).json() == {"data": {"deleted": True}}
    assert reader("GET", own).status_code == 404
    actions = AuditEntry.objects.order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["funnel.created", "funnel.changed", "funnel.deleted"]


@pytest.mark.parametrize(
    ("question", "visitors"),
    [
        ({"period": "7d"}, [3, 1]),
        ({"country": "DE", "attribution": "event", "dimension": "country"}, [2, 1]),
        ({"dimension": "props.plan", "props.plan": "pro"}, [2, 0]),
    ],
)
def test_answer_is_that_of_the_question(
    site, reader, saved, address, body, question, visitors
):
    for visitor, country, plan in ((1, "DE", "pro"), (2, "DE", ""), (3, "", "pro")):
        labels = Labels(country=country)
        props = {"plan": plan} if plan else None
        store(site, "pageview", "/", visitor=visitor, labels=labels, props=props)
    store(site, "event", "signup", visitor=2)
    told = reader("GET", f"{saved}/stats?{urlencode(question)}").json()["data"]
    steps = {"steps": body["steps"], "window_minutes": body["window_minutes"]}
    asked = reader("POST", f"{address}/query", question | steps).json()["data"]
    assert told == asked
    assert [step["visitors"] for step in told["steps"]] == visitors


def test_saved_funnel_names_a_wrong_parameter(reader, saved):
    for query, name in (
        ("dimension=shoe", "dimension"),
        ("country=Germany", "country"),
        ("window_minutes=5", "window_minutes"),
        ("props.=x", "props."),
    ):
        refused = reader("GET", f"{saved}/stats?{query}")
        assert refused.status_code == 422
        assert list(refused.json()["details"]) == [name]


def test_goal_that_changes_changes_the_funnel(site, goal, reader, writer, saved):
    store(site, "pageview", "/")
    store(site, "event", "other")
    own = f"/sites/{site.site_key}/goals/{goal.pk}"
    writer("PATCH", own, {"match_value": "other"})
    steps = reader("GET", f"{saved}/stats").json()["data"]["steps"]
    assert [step["visitors"] for step in steps] == [1, 1]
    writer("DELETE", own)
    refused = reader("GET", f"{saved}/stats")
    assert refused.status_code == 422
    assert "No such goal" in str(refused.json()["details"])


@pytest.mark.parametrize(
    "change",
    [
        {"steps": [VIEW]},
        {"steps": [VIEW] * 9},
        {"steps": [VIEW, {"goal": "00000000-0000-4000-8000-000000000000"}]},
        {"steps": [VIEW, {**VIEW, "match_type": "regex", "match_value": "("}]},
        {"window_minutes": 0},
        {"name": ""},
        {"period": "7d"},
    ],
)
def test_what_is_wrong_is_named(writer, address, body, change):
    answer = writer("POST", address, body | change)
    assert answer.status_code == 422
    assert str(answer.json()["details"]).count(next(iter(change))) >= 1


def test_goal_of_another_site_is_no_step(writer, address, body, strangers_site):
    foreign = GoalFactory.create(site=strangers_site)
    answer = writer(
        "POST", address, body | {"steps": [VIEW, {"goal": str(foreign.pk)}]}
    )
    assert answer.status_code == 422


def test_site_holds_only_so_many(writer, address, body, monkeypatch):
    monkeypatch.setattr(changes, "MAX_FUNNELS", 1)
    assert writer("POST", address, body).status_code == 201
    refused = writer("POST", address, body)
    assert "at most 1 " in refused.json()["details"]["non_field_errors"][0]


def test_copies_refer_to_the_goals_of_the_copy(site, saved, goal):
    other = SiteFactory.create()
    copies.load_goals(other, list(copies.dump_goals(site)))
    copies.load_funnels(other, list(copies.dump_funnels(site)))
    (copied,) = other.funnels.all()
    assert copied.steps[0] == VIEW
    # The ids of this installation are taken: the copy has its own.
    assert copied.steps[1] == {"goal": str(Goal.objects.get(site=other).pk)}
    assert copied.steps[1] != {"goal": str(goal.pk)}
