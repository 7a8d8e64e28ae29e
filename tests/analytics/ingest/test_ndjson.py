"""POST /sites/:key/events with one event a line."""

import json

import pytest

from analytics.models import Event
from tests.factories import store

pytestmark = pytest.mark.django_db

EVENT = {"type": "event", "name": "signup", "visitor_id": "customer-1"}
LINE = json.dumps(EVENT).encode()
MALFORMED = {
    "status": "rejected",
    "details": {"non_field_errors": ["Malformed JSON."]},
}


@pytest.fixture
def send(writer, site):
    def send(*lines, end=b"\n", **options):
        body = b"".join(line + end for line in lines)
        options.setdefault("content_type", "application/x-ndjson")
        return writer("POST", f"/sites/{site.site_key}/events", body, **options)

    return send


def statuses(response):
    assert response.status_code == 200, response.content
    return [item["status"] for item in response.json()["data"]]


def test_each_line_is_an_event(send):
    assert statuses(send(LINE, LINE, LINE)) == ["accepted"] * 3
    assert Event.objects.count() == 3


def test_one_line_is_a_batch_too(send):
    assert statuses(send(LINE)) == ["accepted"]
    assert statuses(send(b"{}")) == ["rejected"]


def test_last_line_needs_no_end(send):
    assert statuses(send(LINE + b"\n" + LINE, end=b"")) == ["accepted"] * 2


@pytest.mark.parametrize("end", [b"\r\n", b"\n\n", b"\n \t\n"])
def test_blank_lines_and_carriage_returns_are_left_out(send, end):
    assert statuses(send(LINE, LINE, end=end)) == ["accepted"] * 2


def test_parameter_of_the_content_type_is_no_matter(send):
    response = send(LINE, content_type="application/x-ndjson; charset=utf-8")
    assert statuses(response) == ["accepted"]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"nonsense",
        LINE + b" " + LINE,
        b'{"type":"event","name":"\xff"}',
        b"\xff",
    ],
)
def test_broken_line_fails_no_other(send, line):
    response = send(LINE, line, LINE)
    assert statuses(response) == ["accepted", "rejected", "accepted"]
    assert response.json()["data"][1] == MALFORMED


@pytest.mark.parametrize("line", [b"1", b"[]", b"null", b'"text"', b'{"type":"x"}'])
def test_line_that_is_no_event_fails_no_other(send, line):
    response = send(LINE, line)
    assert statuses(response) == ["accepted", "rejected"]
    assert response.json()["data"][1]["details"]


def test_wrong_line_names_its_fields(send):
    (answer,) = send(b'{"type":"event","visitor_id":"a"}').json()["data"]
    assert answer["details"] == {"name": ["This field is required."]}


def test_repeated_id_is_a_duplicate(send):
    line = json.dumps({**EVENT, "id": "order-1"}).encode()
    assert statuses(send(line, line)) == ["accepted", "duplicate"]


def test_refund_stands_beside_events(send, site):
    paid = {**EVENT, "id": "order-1", "revenue": 10, "currency": "USD"}
    back = {"refund_of": "order-1", "revenue": 4}
    lines = [json.dumps(line).encode() for line in (paid, back)]
    assert statuses(send(*lines)) == ["accepted", "accepted"]


def test_thousand_lines_are_taken_and_no_more(send):
    assert len(statuses(send(*[LINE] * 1_000))) == 1_000
    response = send(*[LINE] * 1_001)
    assert response.status_code == 422
    assert response.json()["details"] == {"events": ["Must have 1 to 1000 events."]}
    assert Event.objects.count() == 1_000


@pytest.mark.parametrize("body", [b"\n", b" \n\n"])
def test_blank_body_holds_no_events(send, body):
    response = send(body, end=b"")
    assert response.status_code == 422
    assert list(response.json()["details"]) == ["events"]


def test_missing_body_is_malformed(send):
    assert send().status_code == 400


def test_idempotency_key_covers_lines(send, site):
    headers = {"Idempotency-Key": "batch-1"}
    assert "Idempotency-Replayed" not in send(LINE, headers=headers).headers
    assert "Idempotency-Replayed" in send(LINE, headers=headers).headers
    assert send(LINE, LINE, headers=headers).status_code == 422
    assert Event.objects.count() == 1


def test_same_bytes_as_json_are_another_body(send):
    headers = {"Idempotency-Key": "batch-1"}
    send(LINE, headers=headers)
    response = send(LINE, headers=headers, content_type="application/json")
    assert response.status_code == 422


def test_other_routes_take_no_lines(writer, site):
    response = writer(
        "POST",
        f"/sites/{site.site_key}/goals",
        b"{}\n",
        content_type="application/x-ndjson",
    )
    assert response.status_code == 415


# The same texts in JSON


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"event","name":"\xff","visitor_id":"a"}',
        b'{"refund_of":"\xff","revenue":1}',
        b'{"\xff":1}',
    ],
)
def test_single_event_with_a_broken_text_is_malformed(send, body):
    response = send(body, content_type="application/json")
    assert (response.status_code, response.json()) == (400, {"error": "Malformed JSON"})


def test_broken_text_in_a_batch_fails_no_other(send, site):
    store(site, "event", "earlier")
    broken = b'{"type":"event","name":"\xff","visitor_id":"a"}'
    body = b'{"events":[' + LINE + b"," + broken + b"]}"
    response = send(body, content_type="application/json")
    assert statuses(response) == ["accepted", "rejected"]
    assert response.json()["data"][1] == MALFORMED
