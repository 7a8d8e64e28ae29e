"""Idempotency-Key: a POST that is sent again is answered, not done, again."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from analytics import events
from analytics.access import idempotency
from analytics.models import Event, IdempotencyKey
from goals.models import Goal
from tests.factories import SiteFactory

pytestmark = pytest.mark.django_db

GOAL = {
    "name": "Purchase",
    "type": "custom",
    "match_type": "exact",
    "match_value": "purchase",
    "currency": "USD",
}
EVENT = {"type": "event", "name": "signup", "visitor_id": "customer-1"}
OTHER_BODY = {
    "error": "Validation failed",
    "details": {"Idempotency-Key": ["Was already used with another body."]},
}
NOON = datetime(2026, 2, 18, 12, tzinfo=UTC)


@pytest.fixture
def post(writer, site):
    """Post to a path of the site with a key."""

    def send(path, body, key="order-1", *, call=writer, **options):
        headers = {"Idempotency-Key": key}
        path = f"/sites/{site.site_key}{path}"
        return call("POST", path, body, headers=headers, **options)

    return send


def test_repeated_goal_is_made_once_and_answered_alike(post):
    first, second = post("/goals", GOAL), post("/goals", GOAL)
    assert (first.status_code, first.content) == (201, second.content)
    assert second.status_code == 201
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.headers["Content-Type"] == "application/json"
    assert first.json()["data"]["id"] == str(Goal.objects.get().id)


def test_repeated_events_are_stored_once_without_ids_of_their_own(post):
    batch = {"events": [EVENT, {"type": "event"}]}
    first, second = post("/events", batch), post("/events", batch)
    assert Event.objects.count() == 1
    assert first.json() == second.json()
    assert [item["status"] for item in second.json()["data"]] == [
        "accepted",
        "rejected",
    ]


def test_without_a_key_a_goal_is_made_each_time(writer, site):
    for _ in range(2):
        writer("POST", f"/sites/{site.site_key}/goals", GOAL)
    assert Goal.objects.count() == 2
    assert not IdempotencyKey.objects.exists()


def test_other_body_under_the_same_key_is_refused(post):
    post("/goals", GOAL)
    response = post("/goals", {**GOAL, "name": "Other"})
    assert (response.status_code, response.json()) == (422, OTHER_BODY)
    assert Goal.objects.count() == 1


def test_order_and_blanks_of_a_goals_json_do_not_matter(post):
    post("/goals", GOAL)
    reordered = dict(reversed(GOAL.items()))
    assert post("/goals", reordered).headers["Idempotency-Replayed"] == "true"


def test_key_is_good_for_one_path_only(post, writer, site):
    post("/goals", GOAL)
    other = SiteFactory.create(team=site.team)
    made = writer(
        "POST",
        f"/sites/{other.site_key}/goals",
        GOAL,
        headers={"Idempotency-Key": "order-1"},
    )
    assert made.status_code == 201
    assert "Idempotency-Replayed" not in made.headers
    assert post("/events", EVENT).json()["data"][0]["status"] == "accepted"


def test_another_key_of_the_team_gets_the_same_answer(post, site, client_with):
    first = post("/goals", GOAL)
    second = post("/goals", GOAL, call=client_with(site.team, "analytics:write"))
    assert second.content == first.content


def test_reader_gets_no_answer_of_a_writer(post, reader):
    post("/goals", GOAL)
    assert post("/goals", GOAL, call=reader).status_code == 403


def test_key_that_does_not_reach_the_site_gets_no_answer(post, site, client_with):
    post("/goals", GOAL)
    other = SiteFactory.create(team=site.team)
    narrowed = client_with(site.team, "*", sites=[other])
    assert post("/goals", GOAL, call=narrowed).status_code == 404


def test_deleted_site_answers_no_longer(post, owner, site):
    post("/goals", GOAL)
    owner("DELETE", f"/sites/{site.site_key}")
    assert post("/goals", GOAL).status_code == 404


def test_answer_is_kept_for_24_hours(post):
    with time_machine.travel(NOON, tick=False) as now:
        post("/goals", GOAL)
        now.shift(timedelta(hours=24, microseconds=-1))
        assert "Idempotency-Replayed" in post("/goals", GOAL).headers
        now.shift(timedelta(microseconds=1))
        assert "Idempotency-Replayed" not in post("/goals", GOAL).headers
    assert Goal.objects.count() == 2


def test_purge_deletes_what_is_no_longer_replayed(post):
    with time_machine.travel(NOON, tick=False) as now:
        post("/goals", GOAL, "old")
        now.shift(timedelta(hours=1))
        post("/goals", GOAL, "new")
        now.shift(timedelta(hours=23))
        assert idempotency.purge() == 1
        assert "Idempotency-Replayed" in post("/goals", GOAL, "new").headers


def test_error_is_not_kept_so_that_the_mended_body_may_use_the_key(post):
    wrong = {**GOAL, "match_type": "regex", "match_value": "("}
    assert post("/goals", wrong).status_code == 422
    assert post("/goals", wrong).status_code == 422
    assert post("/goals", GOAL).status_code == 201


@pytest.mark.parametrize("body", [b"", b"{", b"[]"])
@pytest.mark.parametrize("path", ["/goals", "/events"])
def test_malformed_body_is_answered_as_without_a_key(post, path, body):
    response = post(path, body)
    assert response.status_code in (400, 422)
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize("key", ["", "a b", "é", "a" * 256, "a\tb"])
def test_key_that_is_none_is_refused(post, key):
    response = post("/goals", GOAL, key)
    assert response.status_code == 422
    assert list(response.json()["details"]) == ["Idempotency-Key"]


@pytest.mark.parametrize("key", ["!", "~" * 255, '"quoted"'])
def test_every_visible_character_is_taken(post, key):
    assert post("/goals", GOAL, key).status_code == 201


def test_failure_leaves_neither_key_nor_work(post, writer, monkeypatch):
    append = events.append

    def store_and_fail(batch):
        append(batch)
        raise RuntimeError("the power went")

    writer.client.raise_request_exception = False
    with monkeypatch.context() as patch:
        patch.setattr(events, "append", store_and_fail)
        assert post("/events", EVENT).status_code == 500
    assert not Event.objects.exists()
    assert not IdempotencyKey.objects.exists()
    response = post("/events", EVENT)
    assert response.json()["data"][0]["status"] == "accepted"
    assert "Idempotency-Replayed" not in response.headers
    assert Event.objects.count() == 1


def test_neither_key_nor_body_is_stored_as_sent(post):
    post("/events", EVENT, "order-of-jane")
    stored = str(IdempotencyKey.objects.values())
    assert "jane" not in stored
    assert "customer-1" not in stored


def test_key_costs_few_queries(post):
    post("/goals", GOAL, "other")
    post("/goals", GOAL)
    # The API key and the site; the key is deleted if too old, and read.
    post("/goals", GOAL, queries=3)


def test_one_of_many_at_once_is_done(service):
    site = service.new_site()
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda _: service(
                    "POST", f"/sites/{site}/goals", GOAL, Idempotency_Key="order-1"
                ),
                range(24),
            )
        )
    assert {(answer.status, answer.body) for answer in answers} == {
        (201, answers[0].body)
    }
    replayed = [answer.headers["Idempotency-Replayed"] for answer in answers]
    assert sorted(map(str, replayed)) == ["None"] + ["true"] * 23
    assert len(service("GET", f"/sites/{site}/goals").json()["data"]) == 1


def test_many_keys_at_once_are_all_done(service):
    site = service.new_site()
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(
            lambda number: service(
                "POST", f"/sites/{site}/events", EVENT, Idempotency_Key=str(number // 2)
            ),
            range(48),
        )
        assert {answer.status for answer in answers} == {200}
    assert len(service("GET", f"/sites/{site}/events").json()["data"]) == 24


def test_rotated_secret_key_does_nothing_twice(writer, site, settings):
    settings.DATA_KEY = settings.SECRET_KEY
    path = f"/sites/{site.site_key}/goals"
    headers = {"Idempotency-Key": "order-1"}
    first = writer("POST", path, GOAL, headers=headers)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another" * 10
    again = writer("POST", path, GOAL, headers=headers)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
