"""GET /sites/:key/props."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
import time_machine

from analytics.traffic import sent_props
from tests.factories import SiteFactory, store

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
MARCH = {"period": "custom", "from": "2026-03-01", "to": "2026-03-10"}
KINDS = {str: "string", bool: "boolean", int: "number", float: "number"}


@pytest.fixture(autouse=True)
def frozen():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def ask(reader, site):
    def ask(status=200, **asked):
        url = f"/sites/{site.site_key}/props?{urlencode({**MARCH, **asked})}"
        response = reader("GET", url)
        assert response.status_code == status, response.content
        return response.json().get("data")

    return ask


def test_site_without_properties_has_none(ask, site):
    store(site, "event", "a")
    assert ask() == {
        "period": {"from": "2026-03-01", "to": "2026-03-10"},
        "looked_at": 0,
        "is_complete": True,
        "props": [],
        "total_keys": 0,
    }


@pytest.mark.parametrize(
    ("sent", "types", "values"),
    [
        ([1, 1.0, "1"], {"string": 1, "number": 2}, [(1, 2), ("1", 1)]),
        ([True, "true", False], {"string": 1, "boolean": 2}, None),
        ([None, None, ""], {"string": 1, "null": 2}, [(None, 2), ("", 1)]),
        ([0.1, 0.1, -0.5], {"number": 3}, [(0.1, 2), (-0.5, 1)]),
        ([10**300] * 2, {"number": 2}, [(1e300, 2)]),
        (['a"b', 'a"b', "é\n"], {"string": 3}, [('a"b', 2), ("é\n", 1)]),
        (["A", "B", "a", "b"], {"string": 4}, [(v, 1) for v in "ABab"]),
    ],
)
def test_types_and_values_of_a_key(ask, site, sent, types, values):
    for value in sent:
        store(site, "event", "a", props={"a.b $[0]": value})
    [prop] = ask()["props"]
    assert prop["key"] == "a.b $[0]"
    assert prop["events"] == len(sent)
    assert prop["types"] == types
    if values is not None:
        assert [(row["value"], row["events"]) for row in prop["values"]] == values


def test_keys_are_cut_off_after_the_most_frequent(ask, site):
    for number in range(12):
        props = {f"k{key:02d}": number for key in range(number + 1)}
        store(site, "event", "a", props=props)
    answer = ask(limit=2)
    assert [prop["key"] for prop in answer["props"]] == ["k00", "k01"]
    assert answer["total_keys"] == 12
    assert len(answer["props"][0]["values"]) == sent_props.VALUES
    assert answer["props"][0]["total_values"] == 12


def test_the_newest_are_looked_at(ask, site, monkeypatch):
    monkeypatch.setattr(sent_props, "NEWEST", 2)
    for days in (1, 3, 2, 4):
        at = NOW - timedelta(days=days)
        store(site, "event", "a", at=at, props={"days": days})
        store(site, "event", "a", at=at)
    answer = ask()
    assert answer["is_complete"] is False
    assert answer["looked_at"] == 3
    [prop] = answer["props"]
    assert [row["value"] for row in prop["values"]] == [1, 2, 3]


def test_other_days_and_sites_are_left_out(ask, site):
    store(site, "event", "a", at=NOW - timedelta(days=20), props={"old": 1})
    store(SiteFactory.create(team=site.team), "event", "a", props={"theirs": 1})
    store(site, "event", "a", props={"here": 1})
    assert [prop["key"] for prop in ask()["props"]] == ["here"]


@pytest.mark.parametrize("asked", [{"limit": 0}, {"limit": 1001}, {"key": "a"}])
def test_wrong_question_is_422(ask, asked):
    ask(status=422, **asked)


@pytest.mark.parametrize("seed", range(4))
def test_every_number_is_that_of_a_recount(ask, site, seed):
    chosen = random.Random(seed)
    sent = []
    for _ in range(60):
        values = ["x", "y", "", 1, 1.5, True, False, None]
        keys = chosen.sample(["a", "b", "c"], chosen.randrange(4))
        props = {key: chosen.choice(values) for key in keys}
        at = NOW - timedelta(hours=chosen.randrange(15 * 24))
        store(site, "event", chosen.choice("xy"), at=at, props=props)
        if at.date() >= datetime(2026, 3, 1).date():  # noqa: DTZ001
            sent.append(props)
    answer = ask()
    assert answer["looked_at"] == sum(bool(props) for props in sent)
    of_keys = Counter(key for props in sent for key in props)
    assert {prop["key"]: prop["events"] for prop in answer["props"]} == of_keys
    order = [(-prop["events"], prop["key"]) for prop in answer["props"]]
    assert order == sorted(order)
    for prop in answer["props"]:
        own = [props[prop["key"]] for props in sent if prop["key"] in props]
        assert prop["types"] == Counter(KINDS.get(type(v), "null") for v in own)
        of_values = Counter((type(value), value) for value in own)
        assert {
            (type(row["value"]), row["value"]): row["events"] for row in prop["values"]
        } == of_values
        assert prop["total_values"] == len(of_values)
