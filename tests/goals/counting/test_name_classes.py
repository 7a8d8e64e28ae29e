"""Many rules over many names are counted at once, and right."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import events
from analytics.events import by_question
from analytics.questions.periods import Days
from goals.counting import sent_names, stats
from goals.counting.id_sets import IdSet
from goals.counting.name_classes import BitCounts, classes
from goals.models import GoalMonth
from krafter import clock
from tests.factories import GoalFactory, store

# Close together, and far apart.
IDS = st.one_of(
    st.sets(st.integers(1, 300)), st.sets(st.integers(1, 2**62)), st.just({5, 2**40})
)


@given(st.lists(IDS, max_size=4))
def test_ids_are_those_that_were_added(parts):
    ids, expected, above = IdSet(), list[int](), 0
    for part in parts:
        more = [above + id for id in sorted(part) if above + id < 2**63]
        ids.extend(iter(more))
        expected += more
        above = max(expected, default=0)
    assert list(ids) == expected
    assert len(ids) == len(expected)
    assert ids.size <= len(expected) + 1
    near = {
        0,
        -1,
        *expected,
        *(id + 1 for id in expected),
        *(id - 1 for id in expected),
    }
    assert {id for id in near if id in ids} == set(expected)


def test_ids_that_follow_each_other_take_a_bit():
    ids = IdSet()
    ids.extend(range(1_000, 65_000))
    assert ids.size == 1_000
    ids.extend([2**40])
    assert ids.size == 64_001
    assert 2**40 in ids


def id_set(ids):
    made = IdSet()
    made.extend(sorted(ids))
    return made


@given(st.lists(IDS, max_size=5), st.integers(0, 70))
def test_classes_are_of_the_sets_that_have_an_id(some, empty):
    sets = [*[set[int]()] * empty, *some]
    made = [id_set(ids) for ids in sets]
    # Some of theirs, and others.
    asked = sorted({id for ids in sets for id in ids if id % 3} | {7, 2**41})
    found = classes(made, asked)
    assert {id: mask for mask, ids in found.items() for id in ids} == {
        id: sum(1 << place for place, ids in enumerate(sets) if id in ids)
        for id in asked
        if any(id in ids for ids in sets)
    }
    for ids, own in zip(sets, made, strict=True):
        assert own.among(asked) == [id for id in asked if id in ids]
        assert own.number_of(asked) == len(own.among(asked))


@given(st.lists(st.tuples(st.integers(0, 2**70), st.integers(-9, 2**40))))
def test_bits_are_counted_as_one_by_one(added):
    counts, expected = BitCounts(), dict[int, int]()
    for mask, times in added:
        counts.add(mask, times)
        for place in range(71):
            if mask >> place & 1:
                expected[place] = expected.get(place, 0) + times
    assert counts.counts() == expected


@pytest.fixture
def goals(site):
    """Rules with many names, few and none; their visitors overlap on three days.

    One sale was refunded on a day without events.
    """
    for number in range(40):
        for age in (60, 59, 0):
            store(
                site,
                "event",
                f"sign {number % 20}",
                at=clock.now() - timedelta(days=age),
                visitor=number % 7,
                amount=number * 10_000 if number % 3 else None,
                currency="EUR" if number % 3 == 1 else None,
            )
    sold, refunded = (clock.now() - timedelta(days=age) for age in (89, 30))
    store(
        site,
        "event",
        "1 sale",
        at=sold,
        amount=50_000,
        currency="EUR",
        event_id="1",
    )
    events.refund(site.pk, [events.NewRefund(refunded.date(), refunded, "1", 1_0000)])
    values = ["sign", "1", "2", "sig", "none"]
    return [
        GoalFactory.create(
            site=site,
            match_type="contains",
            match_value=value,
            currency="EUR" if value == "1" else None,
        )
        for value in values
    ]


def test_counts_by_class_are_those_by_rule(site, goals, monkeypatch):
    today = clock.now().date()
    days = Days(today - timedelta(days=90), today)
    by_rule = stats.counted(site.pk, goals, days, daily=True)
    assert by_rule[goals[0].rule][today].counts == (40, 7)
    assert by_rule[goals[1].rule][today].amounts["EUR"] == Decimal(161)
    refunded = by_rule[goals[1].rule][today - timedelta(days=30)]
    assert refunded == ((0, 0), {"EUR": Decimal(-1)})
    GoalMonth.objects.all().delete()
    stats.forget()
    monkeypatch.setattr(by_question, "_MANY_PAIRS", 0)
    monkeypatch.setattr(sent_names, "_MAX_PAIRS", 3)
    # By rule in portions with all names and with those that were sent, and by class.
    for many_pairs, many_rules in ((10**6, 50), (0, 50), (0, 2)):
        GoalMonth.objects.all().delete()
        stats.forget()
        monkeypatch.setattr(sent_names, "_MANY_PAIRS", many_pairs)
        monkeypatch.setattr(sent_names, "_MANY_RULES", many_rules)
        assert stats.counted(site.pk, goals, days, daily=True) == by_rule
    # What comes is added to visitors that all rules share.
    for visitor, name in ((1, "sign 1"), (9, "sign 2"), (9, "sign 12")):
        store(site, "event", name, visitor=visitor)
    continued = stats.counted(site.pk, goals, days, daily=True)
    stats.forget()
    monkeypatch.undo()
    assert stats.counted(site.pk, goals, days, daily=True) == continued
    assert continued[goals[0].rule][today].counts == (43, 8)
    assert continued[goals[1].rule][today].counts.conversions > 0
