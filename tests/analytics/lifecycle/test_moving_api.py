"""A team moves by the API: pages are asked for and sent, again where one was lost."""

import hashlib
import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from analytics import events
from analytics.lifecycle import erasure, export
from analytics.models import AuditEntry, Event, Import, Site
from goals.models import ExchangeRate, Goal
from tests.factories import GoalFactory, store

AT = datetime(2026, 2, 1, 12, tzinfo=UTC)
EXPORT, IMPORT = "/api/v1/team/export", "/api/v1/team/import"


@pytest.fixture
def _many(site, monkeypatch):
    """Four pages of events and two goals, one deleted."""
    monkeypatch.setattr(export, "PAGE_BYTES", 8_000)
    made = [
        events.NewEvent(
            site_id=site.pk,
            day=AT.date() + timedelta(days=number % 3),
            at=AT + timedelta(days=number % 3, seconds=number),
            type="event",
            name=f"name {number % 7}",
            visitor=number,
            event_id=f"e{number}",
        )
        for number in range(300)
    ]
    events.append(made)
    GoalFactory.create(site=site, match_type="contains", match_value="name")
    GoalFactory.create(site=site, name="Gone", deleted_at=AT)


def asked(call, cursor=None):
    """A page of the export."""
    query = "" if cursor is None else f"?cursor={cursor}"
    answer = call("GET", EXPORT + query)
    assert answer.status_code == 200, answer.content
    assert answer.headers["Content-Type"].startswith("application/x-ndjson")
    return b"".join(answer.streaming_content)


def exported(call):
    pages = [asked(call)]
    while b'{"next"' in (last := pages[-1].splitlines()[-1]):
        pages.append(asked(call, json.loads(last)["next"]["cursor"]))
    return pages


def send(call, page, query=""):
    return call("POST", IMPORT + query, page, content_type="application/x-ndjson")


def stats(call, site, goal):
    path = f"/sites/{site['site_key']}/goals/{goal}/stats?period=custom"
    return call("GET", f"{path}&from=2026-01-30&to=2026-02-05").json()["data"]


@pytest.mark.usefixtures("_many")
def test_a_team_moves_page_by_page(owner, stranger, site):
    pages = exported(owner)
    assert len(pages) > 3
    # The same moves to another team of this installation under other keys.
    for number, page in enumerate(pages):
        shown = stranger("GET", "/sites").json()["data"]
        assert not any(row["domain"] == site.domain for row in shown)
        for _ in range(2):
            # Whoever lost the answer sends the page once more.
            answer = send(stranger, page, "?new_keys=true")
            assert answer.status_code == 200, answer.content
            moved = answer.json()["data"]
            assert moved["pages"] == number + 1
    assert moved["complete"]
    [copied] = moved["sites"]
    assert copied["key"] == site.site_key != copied["site_key"]
    assert (copied["events"], copied["refunds"]) == (300, 0)
    copy = Site.objects.get(site_key=copied["site_key"])
    [goal] = copy.goals.undeleted()
    own = Goal.objects.undeleted().get(site=site)
    assert stats(stranger, copied, goal.pk) == stats(
        owner, {"site_key": site.site_key}, own.pk
    )
    assert stats(stranger, copied, goal.pk)["conversions"] == 300
    assert copy.goals.count() == 2
    actions = AuditEntry.objects.values_list("action", "team_id")
    assert ("team.exported", site.team_id) in actions
    assert ("site.imported", copy.team_id) in actions


@pytest.mark.usefixtures("_many")
def test_a_page_that_is_asked_for_again_is_the_same(owner, site):
    first = asked(owner)
    cursor = json.loads(first.splitlines()[-1])["next"]["cursor"]
    page = asked(owner, cursor)
    store(site, "event", "late", at=AT, visitor=1)
    assert asked(owner, cursor) == page


@pytest.mark.usefixtures("_many")
def test_pages_out_of_order_are_refused(owner, stranger):
    pages = exported(owner)
    answer = send(stranger, pages[1])
    assert (answer.status_code, answer.json()["error"]) == (409, "Page 0 is next.")
    assert send(stranger, pages[0], "?new_keys=true").status_code == 200
    answer = send(stranger, pages[2])
    assert (answer.status_code, answer.json()["error"]) == (409, "Page 1 is next.")
    assert not Import.objects.get().finished_at


@pytest.mark.usefixtures("_many")
def test_a_page_that_was_changed_is_refused_and_changes_nothing(owner, stranger, site):
    first, second, *_ = exported(owner)
    for wrong in (
        first.replace(b'"Signup"', b'"Sign-up"'),
        first[: len(first) // 2],
        first + b"{}\n",
        b"",
        b"{}",
        b"\xff",
        b'{"manifest":1}\n{"end":2}\n',
    ):
        answer = send(stranger, wrong, "?new_keys=true")
        assert answer.status_code in (400, 422), wrong[:40]
    assert not Event.objects.exclude(site_id=site.pk).exists()
    assert send(stranger, first, "?new_keys=true").status_code == 200
    number = Event.objects.count()
    wrong = second.replace(b"Z", b"+", 1)
    assert wrong != second
    answer = send(stranger, wrong)
    assert answer.json()["details"]["page"] == [
        "The hash of the export does not match its end line."
    ]
    assert Event.objects.count() == number


@pytest.mark.usefixtures("_many")
def test_a_key_that_exists_is_refused(owner, stranger, site):
    answer = send(stranger, asked(owner))
    assert answer.status_code == 422
    assert site.site_key in answer.json()["details"]["page"][0]


@pytest.mark.usefixtures("_many")
def test_an_erasure_meanwhile_is_a_conflict(owner, site):
    cursor = json.loads(asked(owner).splitlines()[-1])["next"]["cursor"]
    erasure.events_with_ids(site, ["e1"])
    answer = owner("GET", f"{EXPORT}?cursor={cursor}")
    assert answer.status_code == 409
    assert "Start a new export" in answer.json()["error"]


@pytest.mark.usefixtures("_many")
def test_a_cursor_of_others_is_none(owner, stranger):
    cursor = json.loads(asked(owner).splitlines()[-1])["next"]["cursor"]
    assert stranger("GET", f"{EXPORT}?cursor={cursor}").status_code == 409
    for wrong in ("x", cursor[:-1], cursor + "x", "%00", "a:b"):
        answer = owner("GET", f"{EXPORT}?cursor={wrong}")
        assert answer.status_code == 422, wrong
        assert "cursor" in answer.json()["details"]


def test_a_narrowed_key_moves_nothing(site, client_with):
    narrowed = client_with(site.team, "*", sites=[site])
    assert narrowed("GET", EXPORT).status_code == 403
    assert send(narrowed, b"x").status_code == 403


def forged(manifest, *lines):
    """A page whose hash and counts are right, whatever it says."""
    text = b"".join(json.dumps(line).encode() + b"\n" for line in (manifest, *lines))
    counts = Counter(next(iter(line)) for line in (manifest, *lines))
    end = {"counts": counts, "sha256": hashlib.sha256(text).hexdigest()}
    return text + json.dumps({"end": end}).encode() + b"\n"


SETTINGS = {
    "uuid": "550e8400-e29b-41d4-a716-446655440001",
    "site_key": "sk_zzzzzzzzzzzz",
    "domain": "moved.example",
    "name": "Moved",
}
MANIFEST = {
    "manifest": {
        "format": "krafter-team",
        "version": 1,
        "id": "550e8400-e29b-41d4-a716-446655440000",
        "team": "Other",
        "sites": ["sk_zzzzzzzzzzzz"],
    }
}


def site_line(**changed):
    settings = {**SETTINGS, **changed}
    return {"site": {"settings": settings, "versions": [], "sealed": None}}


FACT = ["2026-02-01", "2026-02-01T12:00:00Z", 0, 1, 0, None, None, None, None, None]


@pytest.mark.parametrize(
    "lines",
    [
        [site_line(timezone="Nowhere/Land")],
        [site_line(site_key="x")],
        [site_line(excluded_ips="x")],
        [site_line(channels=[1])],
        [site_line(uuid="x")],
        [site_line(domain="moc.elpmaxe\u202e.example")],
        [site_line(domain="a b")],
        [{"site": {}}],
        [{"site": 1}],
        [site_line(), {"event": FACT}],
        [site_line(), {"name": ["event", "a"]}, {"context": {}}, {"event": FACT[:5]}],
        [
            site_line(),
            {"name": ["event", "a"]},
            {"context": {}},
            {"event": [*FACT[:3], 2**70, *FACT[4:]]},
        ],
        [site_line(), {"name": ["nothing", "a"]}],
        [site_line(), {"name": [1]}],
        [site_line(), {"context": {"nothing": "a"}}],
        [site_line(), {"row": ["analytics.site", {}]}],
        [site_line(), {"row": ["analytics.lateday", {"day": "2026-01-01"}]}],
        [site_line(), {"row": ["analytics.sitemonth", {"id": 1}]}],
        [
            site_line(),
            {
                "row": [
                    "analytics.sitemonth",
                    {"month": "2026-01-01", "version": 0, "counted": 1, "days": "AAAA"},
                ]
            },
        ],
        [site_line(), {"goal": {"type": "event"}}],
        [
            site_line(),
            {
                "goal": {
                    "id": "550e8400-e29b-41d4-a716-446655440001",
                    "name": "a",
                    "type": "event",
                    "match_type": "regex",
                    "match_value": "(",
                    "currency": None,
                }
            },
        ],
        [{"event": FACT}],
        [{"nothing": 1}],
    ],
)
def test_what_no_export_has_made_is_refused(stranger, lines):
    answer = send(stranger, forged(MANIFEST, *lines))
    assert answer.status_code == 422, answer.content
    assert answer.json()["details"]["page"]
    assert not Event.objects.exists()
    # Nothing of it is seen.
    assert not Site.objects.undeleted().filter(site_key="sk_zzzzzzzzzzzz").exists()
    events.forget()


def test_names_of_a_stream_are_printable_lines(stranger):
    """Those of before are there with escapes; what is too long is cut."""
    id = "550e8400-e29b-41d4-a716-446655440002"
    rule = {"type": "event", "match_type": "exact", "match_value": "a"}
    named = {"id": id, "created_at": "2026-02-01T12:00:00Z"}
    goal = {"updated_at": "2026-02-01T12:00:00Z", "currency": None}
    lines = [
        site_line(name="Shop\u202e"),
        {"goal": {**named, **rule, **goal, "name": "a\nb"}},
        {"annotation": {**named, "day": "2026-02-01", "text": "\x1b[2J" * 99}},
        {"funnel": {**named, "name": " \u2066 ", "steps": [rule, rule]}},
        {"site_end": "sk_zzzzzzzzzzzz"},
    ]
    answer = send(stranger, forged(MANIFEST, *lines))
    assert answer.status_code == 200, answer.content
    copy = Site.objects.undeleted().get(site_key="sk_zzzzzzzzzzzz")
    assert copy.name == r"Shop\u202e"
    assert copy.goals.get().name == r"a\nb"
    assert copy.annotations.get().text == (r"\x1b[2J" * 99)[:255]
    assert copy.funnels.get().name == r"\u2066"


def test_a_stream_that_is_right_is_taken(stranger, strangers_site):
    lines = [
        site_line(),
        {"name": ["event", "a"]},
        {"context": {}},
        {"event": FACT},
        {"site_end": "sk_zzzzzzzzzzzz"},
        {"rate": {"day": "2026-02-01", "currency": "USD", "rate": "1.5"}},
    ]
    answer = send(stranger, forged(MANIFEST, *lines))
    assert answer.status_code == 200, answer.content
    assert answer.json()["data"]["complete"]
    copy = Site.objects.undeleted().get(site_key="sk_zzzzzzzzzzzz")
    assert copy.team_id == strangers_site.team_id
    assert Event.objects.get(site_id=copy.pk).name.name == "a"
    # Rates are everybody's: no team brings its own.
    assert not ExchangeRate.objects.exists()
