"""GET /sites/:key/names and /sites/:key/names/:id/stats."""

import random
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

import pytest
import time_machine
from django.db import OperationalError

from analytics.events import name_lists
from analytics.models import Event, EventName, NameDay, NameMonth
from analytics.questions.periods import Days
from goals.counting.ahead import count_ahead
from tests.factories import GoalFactory, SiteFactory, store

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
MARCH = {"period": "custom", "from": "2026-03-01", "to": "2026-03-10"}


@pytest.fixture(autouse=True)
def frozen():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def ask(reader, site):
    def ask(path="", of=site, status=200, **asked):
        url = f"/sites/{of.site_key}/names{path}?{urlencode({**MARCH, **asked})}"
        response = reader("GET", url)
        assert response.status_code == status, response.content
        return response.json()

    return ask


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shown(answer):
    return [(row["type"], row["name"]) for row in answer["data"]]


def test_names_are_listed_with_their_numbers_and_goals(ask, site):
    signup = GoalFactory.create(site=site, name="Signup")
    ups = GoalFactory.create(site=site, match_type="contains", match_value="up")
    store(site, "event", "signup", at=at("2026-02-01T10:00"), visitor=1)
    store(site, "event", "signup", at=at("2026-03-08T10:00"), visitor=1)
    store(site, "event", "signup", at=at("2026-03-08T11:00"), visitor=1)
    store(site, "event", "signup", at=at("2026-03-10T11:00"), visitor=1)
    store(site, "pageview", "/up", at=at("2026-03-09T10:00"), visitor=2)
    first, second = ask()["data"]
    assert first.pop("id") != second.pop("id")
    assert first == {
        "type": "event",
        "name": "signup",
        "events": 3,
        "visitors": 2,
        "first_seen": "2026-02-01",
        "last_seen": "2026-03-10",
        "goals": [
            {"id": str(goal.pk), "name": goal.name}
            for goal in sorted((signup, ups), key=lambda g: (g.created_at, g.pk))
        ],
    }
    assert second == {
        "type": "pageview",
        "name": "/up",
        "events": 1,
        "visitors": 1,
        "first_seen": "2026-03-09",
        "last_seen": "2026-03-09",
        "goals": [],
    }


def test_name_without_events_is_left_out(ask, site):
    store(site, "event", "gone", at=at("2026-03-08T10:00"))
    store(site, "event", "old", at=at("2026-02-08T10:00"))
    store(site, "event", "here", at=at("2026-03-08T10:00"))
    gone = EventName.objects.get(name="gone")
    Event.objects.filter(site_id=site.pk, name=gone).delete()
    assert shown(ask()) == [("event", "here")]
    listed = ask(**{"from": "2026-01-01"})
    assert shown(listed) == [("event", "old"), ("event", "here")]
    assert "gone" not in str(listed)


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, ["/a", "/B", "a", "é%"]),
        ({"type": "pageview"}, ["/a", "/B"]),
        ({"type": "goal"}, []),
        ({"search": "A"}, ["/a", "a"]),
        ({"search": "b"}, ["/B"]),
        ({"search": "É"}, []),
        ({"search": "é"}, ["é%"]),
        ({"search": "%"}, ["é%"]),
        ({"search": "_"}, []),
        ({"search": " "}, []),
        ({"unmatched": "true"}, ["/B", "a", "é%"]),
        ({"unmatched": "true", "type": "pageview"}, ["/B"]),
        ({"unmatched": "false"}, ["/a", "/B", "a", "é%"]),
        ({"sort": "name"}, ["/B", "/a", "a", "é%"]),
        ({"sort": "-visitors"}, ["/B", "/a", "a", "é%"]),
    ],
)
def test_list_is_narrowed_and_sorted(ask, site, asked, names):
    GoalFactory.create(site=site, type="pageview", match_value="/a")
    day = at("2026-03-08T10:00")
    for _ in range(3):
        store(site, "pageview", "/a", at=day, visitor=1)
    for visitor in (1, 2):
        store(site, "pageview", "/B", at=day, visitor=visitor)
    store(site, "event", "a", at=day)
    store(site, "goal" if asked == {"type": "x"} else "event", "é%", at=day)
    assert [name for _, name in shown(ask(**asked))] == names


@pytest.mark.parametrize("remembered", [0, 200_000])
@pytest.mark.parametrize("sort", ["-events", "-visitors", "name"])
def test_pages_hold_every_name_once(ask, site, sort, remembered, monkeypatch):
    monkeypatch.setattr(name_lists, "MAX_NAMES", remembered)
    for number in range(11):
        for visitor in range(number % 4 + 1):
            when = at(f"2026-03-{number % 3 + 8:02d}T10:00")
            store(site, "event", f"e{number:02d}", at=when, visitor=visitor)
    whole = shown(ask(sort=sort))
    assert len(whole) == 11
    seen: list[tuple[str, str]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = ask(sort=sort, limit=3, **cursor)
        assert len(answer["data"]) <= 3
        seen += shown(answer)
        if answer["next_cursor"] is None:
            break
        cursor = {"cursor": answer["next_cursor"]}
    assert seen == whole


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"type": "custom"}, "type"),
        ({"unmatched": "yes"}, "unmatched"),
        ({"sort": "events"}, "sort"),
        ({"limit": 101}, "limit"),
        ({"limit": 0}, "limit"),
        ({"search": ""}, "search"),
        ({"search": "x" * 1_025}, "search"),
        ({"search": "a\0"}, "search"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "MTIz"}, "cursor"),
        ({"cursor": "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTkgMQ=="}, "cursor"),
        ({"nmae": "x"}, "nmae"),
        ({"from": "2026-13-01"}, "from"),
    ],
)
def test_wrong_question_is_422(ask, asked, named):
    assert list(ask(status=422, **asked)["details"]) == [named]


def test_another_sites_names_are_its_own(ask, site, reader):
    other = SiteFactory.create(team=site.team)
    store(other, "event", "theirs", at=at("2026-03-08T10:00"))
    store(site, "event", "signup", at=at("2026-03-08T10:00"))
    assert shown(ask()) == [("event", "signup")]
    [row] = ask(of=other)["data"]
    assert row["name"] == "theirs"
    ask(f"/{row['id']}/stats", status=404)
    assert ask(f"/{row['id']}/stats", of=other)["data"]["name"] == row


def test_name_is_counted_day_by_day(ask, site):
    for text, visitor, props in (
        ("2026-02-01T10:00", 1, {"plan": "old"}),
        ("2026-03-08T10:00", 1, {"plan": "pro", "seats": 2}),
        ("2026-03-08T10:05", 1, {"plan": "pro"}),
        ("2026-03-10T10:00", 2, {"plan": "free", "seats": "two"}),
        ("2026-03-10T10:00", 3, None),
    ):
        store(site, "event", "signup", at=at(text), visitor=visitor, props=props)
    store(site, "event", "other", at=at("2026-03-09T10:00"), props={"plan": "no"})
    [row] = [row for row in ask()["data"] if row["name"] == "signup"]
    answer = ask(f"/{row['id']}/stats", **{"from": "2026-03-08"})["data"]
    assert answer == {
        "period": {"from": "2026-03-08", "to": "2026-03-10"},
        "name": row,
        "timeseries": [
            {"date": "2026-03-08", "events": 2, "visitors": 1},
            {"date": "2026-03-09", "events": 0, "visitors": 0},
            {"date": "2026-03-10", "events": 2, "visitors": 2},
        ],
        "properties": {
            "looked_at": 3,
            "is_complete": True,
            "props": [
                {
                    "key": "plan",
                    "events": 3,
                    "types": {"string": 3},
                    "values": [
                        {"value": "pro", "events": 2},
                        {"value": "free", "events": 1},
                    ],
                    "total_values": 2,
                },
                {
                    "key": "seats",
                    "events": 2,
                    "types": {"string": 1, "number": 1},
                    "values": [
                        {"value": 2, "events": 1},
                        {"value": "two", "events": 1},
                    ],
                    "total_values": 2,
                },
            ],
            "total_keys": 2,
        },
    }


def test_name_that_was_never_sent_is_404(ask, site):
    ask("/550e8400-e29b-41d4-a716-446655440000/stats", status=404)
    store(site, "event", "gone", at=at("2026-03-08T10:00"))
    [row] = ask()["data"]
    Event.objects.filter(site_id=site.pk).delete()
    ask(f"/{row['id']}/stats", status=404)


def test_days_are_counted_once_and_again_when_they_change(ask, site):
    store(site, "event", "a", at=at("2026-03-02T10:00"))
    assert shown(ask()) == [("event", "a")]
    assert NameDay.objects.count() == 1
    assert NameMonth.objects.count() == 1
    store(site, "event", "b", at=at("2026-03-02T11:00"))
    store(site, "event", "b", at=at("2026-03-02T11:00"), visitor=2)
    store(site, "event", "c", at=at("2026-03-05T11:00"))
    rows = {row["name"]: (row["events"], row["visitors"]) for row in ask()["data"]}
    assert rows == {"a": (1, 1), "b": (2, 2), "c": (1, 1)}
    assert NameDay.objects.count() == 3


def test_counted_ahead_needs_no_events(ask, site):
    store(site, "event", "a", at=at("2026-03-02T10:00"))
    count_ahead(site, Days(date(2026, 3, 1), date(2026, 3, 8)))
    assert [*NameDay.objects.values_list("day", "events", "visitors")] == [
        (date(2026, 3, 2), 1, 1)
    ]


def test_answer_is_right_where_nothing_can_be_written(ask, site, monkeypatch):
    """As on a standby, or a disk that is full."""
    store(site, "event", "a", at=at("2026-03-02T10:00"))
    store(site, "event", "a", at=at("2026-03-05T10:00"))

    def refuse(*args, **options):
        raise OperationalError("attempt to write a readonly database")

    monkeypatch.setattr("analytics.traffic.name_days.NameMonths.keep", refuse)
    monkeypatch.setattr("krafter.faults.is_read_only", lambda error: True)
    [row] = ask()["data"]
    assert (row["events"], row["visitors"]) == (2, 2)
    assert not NameDay.objects.exists()


@pytest.mark.parametrize("seed", range(6))
def test_every_number_is_that_of_a_recount(ask, site, seed):
    """Random histories, asked about while late events arrive."""
    chosen = random.Random(seed)
    goals = [
        GoalFactory.create(site=site, match_type="contains", match_value=value)
        for value in ("1", "e")
    ]
    history = []
    for _ in range(3):
        for _ in range(chosen.randrange(40)):
            when = NOW - timedelta(minutes=chosen.randrange(14 * 24 * 60))
            name = chosen.choice(["e1", "e2", "/1", "/2"])
            type = chosen.choice(["event", "pageview"])
            visitor = chosen.randrange(3)
            store(site, type, name, at=when, visitor=visitor)
            history.append((type, name, when.date(), visitor))
        first = date(2026, 3, chosen.randrange(1, 9))
        days = {"from": f"{first}", "to": "2026-03-10"}
        expected = {}
        for key in {(type, name) for type, name, *_ in history}:
            own = [row for row in history if row[:2] == key]
            within = [row for row in own if row[2] >= first]
            if within:
                expected[key] = (
                    len(within),
                    len({row[2:] for row in within}),
                    f"{min(row[2] for row in own)}",
                    f"{max(row[2] for row in own)}",
                    [str(goal.pk) for goal in goals if counts(goal, *key)],
                )
        found = {
            (row["type"], row["name"]): (
                *(row["events"], row["visitors"], row["first_seen"], row["last_seen"]),
                sorted(goal["id"] for goal in row["goals"]),
            )
            for row in ask(**days)["data"]
        }
        assert found == {
            key: (*row[:4], sorted(row[4])) for key, row in expected.items()
        }
        left = {key for key, row in expected.items() if not row[4]}
        assert set(shown(ask(unmatched="true", **days))) == left


def counts(goal, type, name):
    return type == "event" and goal.match_value in name
