"""ETags, conditional requests, Cache-Control, gzip, Link, Location, request ids."""

import gzip
import logging
import uuid
from datetime import UTC, datetime

import pytest
import time_machine

from goals.models import Goal
from krafter import caching
from krafter.request_ids import RequestIdFilter
from tests.factories import GoalFactory, store
from tests.routes import PRIVATE, labels

pytestmark = pytest.mark.django_db

# Of a stream nobody knows the digest before its end.
READS = [r for r in PRIVATE if r.method == "GET" and r.path != "/team/export"]
NOON = datetime(2026, 2, 18, 12, tzinfo=UTC)


@pytest.fixture
def goal(site):
    return GoalFactory.create(site=site, name="Signup")


@pytest.fixture
def call(owner, site, goal):
    """A request about the goal, or whatever of the site `path` names."""

    def send(method, body=b"", *, path=f"/goals/{goal.id}", **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return owner(method, f"/sites/{site.site_key}{path}", body, headers=headers)

    return send


# Reads


@pytest.mark.parametrize("route", READS, ids=labels(READS))
def test_every_read_is_revalidated(route, owner, ids):
    with time_machine.travel(NOON, tick=False):
        first = owner("GET", route.url(**ids))
        tag = first.headers["ETag"]
        again = owner("GET", route.url(**ids), headers={"If-None-Match": tag})
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert {"Authorization", "Accept"} <= set(first.headers["Vary"].split(", "))
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == tag
    assert again.headers["Cache-Control"] == "private, no-cache"
    assert again.headers["Vary"] == first.headers["Vary"]
    assert "Content-Type" not in again.headers


def test_head_has_the_etag_of_get(call):
    got, head = call("GET"), call("HEAD")
    assert head.headers["ETag"] == got.headers["ETag"]
    assert call("HEAD", If_None_Match=got.headers["ETag"]).status_code == 304


@pytest.mark.parametrize("shape", ["{}", "W/{}", '"other", {}', '"other",W/{} , "x"'])
def test_one_of_several_tags_is_enough(call, shape):
    tag = call("GET").headers["ETag"]
    assert call("GET", If_None_Match=shape.format(tag)).status_code == 304


@pytest.mark.parametrize("tag", ['"other"', "nonsense", ""])
def test_other_tag_gets_the_whole(call, tag):
    response = call("GET", If_None_Match=tag)
    assert (response.status_code, response.json()["data"]["name"]) == (200, "Signup")


def test_tag_of_another_is_no_tag_of_this(call, site):
    other = GoalFactory.create(site=site)
    tag = call("GET", path=f"/goals/{other.id}").headers["ETag"]
    assert call("GET", If_None_Match=tag).status_code == 200


def test_stats_change_with_the_events(call, site, goal):
    path = f"/goals/{goal.id}/stats"
    tag = call("GET", path=path).headers["ETag"]
    store(site, goal.type, goal.match_value)
    response = call("GET", path=path, If_None_Match=tag)
    assert response.json()["data"]["conversions"] == 1


def test_revoked_key_gets_no_304(owner, call, goal):
    tag = call("GET").headers["ETag"]
    owner.client.defaults["HTTP_AUTHORIZATION"] = "Bearer gone"
    assert call("GET", If_None_Match=tag).status_code == 401


def test_errors_have_no_tag_and_are_kept_by_nobody(call, anyone):
    for response in (
        call("GET", path="/goals/none"),
        call("GET", path="/goals?nonsense=1"),
        anyone.get("/api/v1/nothing"),
    ):
        assert response.status_code >= 400
        assert "ETag" not in response.headers
        assert response.headers["Cache-Control"] == "private, no-cache"


def test_star_on_a_missing_goal_is_404(call):
    assert call("GET", path="/goals/none", If_None_Match="*").status_code == 404
    assert call("PATCH", {}, path="/goals/none", If_Match="*").status_code == 404


# The ETag of a goal


def test_tag_changes_exactly_when_the_goal_does(call, site, goal):
    tag = call("GET").headers["ETag"]
    store(site, goal.type, goal.match_value)
    call("PATCH", {"name": goal.name})
    assert call("GET").headers["ETag"] == tag
    for change in ({"name": "Other"}, {"currency": "EUR"}, {"match_value": "Signup"}):
        before, tag = tag, call("PATCH", change).headers["ETag"]
        assert tag != before
        assert call("GET").headers["ETag"] == tag
    undone = {"name": "Signup", "currency": None, "match_value": "signup"}
    assert call("PATCH", undone).headers["ETag"] != tag


def test_created_goal_says_where_it_is_and_its_tag(call):
    body = {**Goal.objects.values("name", "type", "match_type", "match_value").get()}
    made = call("POST", body, path="/goals")
    id = made.json()["data"]["id"]
    assert made.headers["Location"].endswith(f"/goals/{id}")
    got = call("GET", path=f"/goals/{id}")
    assert got.content == made.content
    assert got.headers["ETag"] == made.headers["ETag"]


@pytest.mark.parametrize(
    ("method", "body"), [("PATCH", {"name": "New"}), ("DELETE", b"")]
)
class TestIfMatch:
    def test_current_tag_is_let_through(self, call, method, body):
        tag = call("GET").headers["ETag"]
        assert call(method, body, If_Match=tag).status_code == 200

    def test_one_of_several_is_enough(self, call, method, body):
        tag = call("GET").headers["ETag"]
        assert call(method, body, If_Match=f'"other", {tag}').status_code == 200

    def test_star_is_let_through(self, call, method, body):
        assert call(method, body, If_Match="*").status_code == 200

    def test_none_is_required(self, call, method, body):
        assert call(method, body).status_code == 200

    def test_tag_from_before_a_change_is_refused(self, call, goal, method, body):
        tag = call("GET").headers["ETag"]
        call("PATCH", {"name": "Meanwhile"})
        response = call(method, body, If_Match=tag)
        assert response.status_code == 412
        assert list(response.json()) == ["error"]
        assert Goal.objects.undeleted().get().name == "Meanwhile"

    @pytest.mark.parametrize("tag", ['"other"', "nonsense", "", "W/{}"])
    def test_what_does_not_match_is_refused(self, call, method, body, tag):
        tag = tag.format(call("GET").headers["ETag"])
        assert call(method, body, If_Match=tag).status_code == 412
        assert Goal.objects.undeleted().get().name == "Signup"

    def test_tag_of_a_compressed_answer_is_let_through(self, call, goal, method, body):
        call("PATCH", {"match_value": "a" * 1_024})
        tag = call("GET", Accept_Encoding="gzip").headers["ETag"]
        assert tag.endswith('-gzip"')
        assert call(method, body, If_Match=tag).status_code == 200


def test_precondition_comes_before_the_body(call):
    assert call("PATCH", {"name": ""}, If_Match='"other"').status_code == 412
    assert call("PATCH", {"name": ""}).status_code == 422


def test_condition_on_a_get_holds_too(call):
    response = call("GET", If_Match='"other"')
    assert response.status_code == 412
    assert list(response.json()) == ["error"]


# Compression


@pytest.fixture
def large(call, site):
    """A list longer than a packet."""
    for number in range(20):
        GoalFactory.create(site=site, name=f"Goal {number}")

    def get(accepted="gzip", **headers):
        return call("GET", path="/goals", Accept_Encoding=accepted, **headers)

    return get


@pytest.mark.parametrize("accepted", ["gzip", "br, gzip;q=0.5", "GZIP", "gzip;q=1.0"])
def test_larger_answer_is_compressed_for_who_takes_it(large, accepted):
    packed, plain = large(accepted), large("")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Content-Length"] == str(len(packed.content))
    assert gzip.decompress(packed.content) == plain.content
    assert len(packed.content) < len(plain.content) / 4


@pytest.mark.parametrize("accepted", ["", "identity", "gzip;q=0", "gzip;q=0.000", "br"])
def test_nobody_else_gets_it_compressed(large, accepted):
    response = large(accepted)
    assert "Content-Encoding" not in response.headers
    assert "Accept-Encoding" in response.headers["Vary"]


def test_compressed_answer_has_a_tag_of_its_own(large):
    packed, plain = large().headers["ETag"], large("").headers["ETag"]
    assert packed != plain
    assert large(If_None_Match=packed).status_code == 304
    assert large("", If_None_Match=plain).status_code == 304
    assert large(If_None_Match=plain).status_code == 200


def test_same_answer_is_compressed_to_the_same_bytes(large):
    assert large().content == large().content


def test_small_answer_is_left_as_it_is(call):
    response = call("GET", Accept_Encoding="gzip")
    assert len(response.content) < caching.MIN_COMPRESSED
    assert "Content-Encoding" not in response.headers


def test_answer_of_a_post_is_compressed_too(call):
    body = {"events": [{"type": "event"}] * 100}
    response = call("POST", body, path="/events", Accept_Encoding="gzip")
    assert response.headers["Content-Encoding"] == "gzip"
    assert "ETag" not in response.headers


def test_stream_is_compressed_and_has_no_tag(call, goal, site):
    store(site, goal.type, goal.match_value)
    path = f"/goals/{goal.id}/conversions"
    plain = call("GET", path=path, Accept="text/csv")
    packed = call("GET", path=path, Accept="text/csv", Accept_Encoding="gzip")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.getvalue()) == plain.getvalue()
    assert "ETag" not in packed.headers
    assert "Accept-Encoding" in plain.headers["Vary"]


def test_secret_is_kept_by_nobody_and_never_compressed(owner):
    headers = {"Accept-Encoding": "gzip"}
    body = {"name": "a" * 255, "scopes": ["analytics:read"] * 60}
    made = owner("POST", "/api/v1/tokens", body, headers=headers)
    id = made.json()["data"]["id"]
    rotated = owner("POST", f"/api/v1/tokens/{id}/rotate", headers=headers)
    for response in (made, rotated):
        assert response.status_code == 201
        assert "token" in response.json()["data"]
        assert response.headers["Cache-Control"] == "no-store"
        assert "Content-Encoding" not in response.headers
        assert "ETag" not in response.headers


# Addresses


def test_page_links_to_the_next_until_the_last(call, site):
    for number in range(5):
        store(site, "event", f"event {number}")
    path, seen = "/events?limit=2&type=event", []
    while path:
        response = call("GET", path=path)
        seen += [event["name"] for event in response.json()["data"]]
        path = ""
        if link := response.headers.get("Link"):
            address, _, relation = link.partition("; ")
            assert relation == 'rel="next"'
            cursor = response.json()["next_cursor"]
            path = address.strip("<>").partition(site.site_key)[2]
            assert path.startswith("/events?limit=2&type=event&cursor=")
            assert cursor.rstrip("=") in path
    assert seen == [f"event {number}" for number in reversed(range(5))]


def test_conversions_link_to_the_next_page(call, goal, site):
    for _ in range(2):
        store(site, goal.type, goal.match_value)
    first = call("GET", path=f"/goals/{goal.id}/conversions?limit=1")
    address = first.headers["Link"].partition("; ")[0].strip("<>")
    rest = call("GET", path=address.partition(site.site_key)[2])
    assert len(rest.json()["data"]) == 1
    assert "Link" not in rest.headers


def test_created_site_says_where_it_is(owner):
    made = owner("POST", "/sites", {"domain": "new.example", "name": "New"})
    assert owner("GET", made.headers["Location"]).json() == made.json()


# Request ids


@pytest.mark.parametrize("name", ["a", "req-1.2_3:4", "=+/@" * 32])
def test_sane_request_id_is_taken(call, name):
    assert call("GET", X_Request_ID=name).headers["X-Request-ID"] == name


@pytest.mark.parametrize("name", ["", "a b", "a" * 129, "é", "{}", "a\tb", "<x>"])
def test_other_request_ids_are_replaced(call, name):
    answered = call("GET", X_Request_ID=name).headers["X-Request-ID"]
    assert answered == str(uuid.UUID(answered))


def test_every_answer_has_a_request_id_of_its_own(call, anyone):
    answers = [
        call("GET"),
        call("GET"),
        call("GET", path="/goals/none"),
        call("GET", If_None_Match=call("GET").headers["ETag"]),
        anyone.get("/api/v1/nothing"),
        anyone.get("/nothing"),
    ]
    assert len({answer.headers["X-Request-ID"] for answer in answers}) == len(answers)


def test_failure_is_logged_with_the_request_id(call, owner, monkeypatch, caplog):
    owner.client.raise_request_exception = False
    monkeypatch.setattr("goals.counting.stats.goal_stats", lambda *_: 1 / 0)
    caplog.handler.addFilter(RequestIdFilter())
    path = f"/goals/{Goal.objects.get().id}/stats"
    response = call("GET", path=path, X_Request_ID="req-7")
    assert response.status_code == 500
    assert response.headers["X-Request-ID"] == "req-7"
    assert {record.request_id for record in caplog.records} == {"req-7"}
    logging.getLogger("anything").warning("outside")
    assert caplog.records[-1].request_id == "-"


# Over HTTP


def test_answers_without_a_body_have_none_on_the_wire(service):
    site = service.new_site()
    got = service("GET", f"/sites/{site}")
    head = service("HEAD", f"/sites/{site}")
    same = service("GET", f"/sites/{site}", If_None_Match=got.headers["ETag"])
    assert (head.status, head.body) == (200, b"")
    assert head.headers["ETag"] == got.headers["ETag"]
    assert (same.status, same.body) == (304, b"")
    assert got.headers["X-Request-ID"] != same.headers["X-Request-ID"]
