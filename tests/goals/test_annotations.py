"""Annotations: what people note of days, over the API."""

import pytest

from analytics.models import AuditEntry, Site
from goals import copies
from goals.annotations import changes
from tests.factories import SiteFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def address(site):
    return f"/sites/{site.site_key}/annotations"


@pytest.fixture
def note(writer, address):
    def note(day, text="The sale begins"):
        return writer("POST", address, {"date": day, "text": text})

    return note


def texts(reader, address, query=""):
    return [row["text"] for row in reader("GET", f"{address}{query}").json()["data"]]


def test_annotation_is_made_read_changed_and_deleted(writer, reader, address, note):
    made = note("2026-03-01")
    assert made.status_code == 201
    row = made.json()["data"]
    assert set(row) == {"id", "date", "text", "created_at"}
    assert (row["date"], row["text"]) == ("2026-03-01", "The sale begins")
    own = f"{address}/{row['id']}"
    assert made.headers["Location"] == f"/api/v1/analytics{own}"
    assert reader("GET", own).json()["data"] == row
    changed = writer("PATCH", own, {"date": "2026-03-02"}).json()["data"]
    assert changed == row | {"date": "2026-03-02"}
    assert writer("DELETE", own).json() == {"data": {"deleted": True}}
    assert reader("GET", own).status_code == 404
    assert list(AuditEntry.objects.order_by("pk").values_list("action", "changes")) == [
        (
            "annotation.created",
            {"day": [None, "2026-03-01"], "text": [None, "The sale begins"]},
        ),
        ("annotation.changed", {"day": ["2026-03-01", "2026-03-02"]}),
        ("annotation.deleted", {}),
    ]


def test_list_is_in_the_order_of_the_days(reader, address, note):
    for day, text in (("2026-03-02", "b"), ("2026-03-01", "a"), ("2026-03-02", "c")):
        note(day, text)
    assert texts(reader, address) == ["a", "b", "c"]
    assert texts(reader, address, "?from=2026-03-02") == ["b", "c"]
    assert texts(reader, address, "?to=2026-03-01") == ["a"]
    assert texts(reader, address, "?from=2026-03-03&to=2026-03-04") == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"date": "2026-3-1", "text": "x"}, "date"),
        ({"date": "2026-02-30", "text": "x"}, "date"),
        ({"text": "x"}, "date"),
        ({"date": "2026-03-01", "text": " "}, "text"),
        ({"date": "2026-03-01", "text": "x" * 256}, "text"),
        ({"date": "2026-03-01", "text": "two\nlines"}, "text"),
        ({"date": "2026-03-01", "text": "x", "goal": "y"}, "goal"),
    ],
)
def test_what_is_wrong_is_named(writer, address, body, field):
    answer = writer("POST", address, body)
    assert answer.status_code == 422
    assert list(answer.json()["details"]) == [field]


@pytest.mark.parametrize("query", ["?from=x", "?period=7d", "?to=2026-13-01"])
def test_wrong_parameter_is_named(reader, address, query):
    assert reader("GET", f"{address}{query}").status_code == 422


def test_site_holds_only_so_many(note, monkeypatch):
    monkeypatch.setattr(changes, "MAX_ANNOTATIONS", 1)
    assert note("2026-03-01").status_code == 201
    refused = note("2026-03-02")
    assert refused.status_code == 422
    assert "at most 1 " in refused.json()["details"]["non_field_errors"][0]


def test_repeated_request_makes_one(writer, reader, address):
    body = {"date": "2026-03-01", "text": "Once"}
    for _ in range(2):
        answer = writer("POST", address, body, headers={"Idempotency-Key": "a"})
        assert answer.status_code == 201
    assert texts(reader, address) == ["Once"]


def test_copies_take_them_along(site: Site, note):
    note("2026-03-01")
    other = SiteFactory.create()
    copies.load_annotations(other, list(copies.dump_annotations(site)))
    (copied,) = other.annotations.all()
    (kept,) = site.annotations.all()
    assert (copied.day, copied.text, copied.created_at) == (
        kept.day,
        kept.text,
        kept.created_at,
    )
    assert copied.pk != kept.pk
