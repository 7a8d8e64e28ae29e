"""Names are matched once: by all rules together, by all processes together."""

from array import array

import pytest

from analytics import events
from analytics.models import EventName
from goals.counting import matched_names
from goals.counting.matched_names import matching_names, matching_names_of_each
from goals.matching import Rule
from goals.models import RuleNames
from krafter.errors import Unavailable
from tests.factories import store
from tests.queries import captured_queries

SIGN = Rule("event", "contains", "sign")
DIGIT = Rule("event", "regex", r"\d$")
SIGNUP = Rule("event", "exact", "signup 7")


@pytest.fixture
def many(site, monkeypatch):
    """Names 0 to 59 in parts of 10, worth being written down."""
    monkeypatch.setattr(matched_names, "_CHUNK", 10)
    monkeypatch.setattr(matched_names, "_WORTH_KEEPING", 10)
    for number in range(60):
        store(site, "event", f"{'sign' if number % 2 else 'log'}up {number}")
    return dict(EventName.objects.values_list("name", "pk"))


def right(names, rule):
    return sorted(pk for name, pk in names.items() if rule.matches("event", name))


def test_each_rule_matches_as_by_itself(site, many):
    rules = [
        SIGN,
        DIGIT,
        SIGNUP,
        Rule("event", "exact", "none"),
        Rule("pageview", *SIGN[1:]),
    ]
    found = matching_names_of_each(site.pk, rules)
    assert {rule: list(ids) for rule, ids in found.items()} == {
        **{rule: right(many, rule) for rule in rules[:3]},
        rules[3]: [],
        rules[4]: [],
    }


def test_names_that_come_are_found_by_rules_wherever_they_stopped(site, many):
    matching_names(site.pk, SIGN)
    store(site, "event", "signup 60")
    matching_names(site.pk, DIGIT)
    store(site, "event", "signup 61")
    names = dict(EventName.objects.values_list("name", "pk"))
    found = matching_names_of_each(site.pk, [SIGN, DIGIT])
    assert {rule: list(ids) for rule, ids in found.items()} == {
        rule: right(names, rule) for rule in (SIGN, DIGIT)
    }


def test_another_process_goes_on_from_what_was_written(site, many):
    expected = list(matching_names(site.pk, SIGN))
    row = RuleNames.objects.get()
    assert row.seen == max(many.values())
    matched_names.forget()
    with captured_queries() as found:
        assert list(matching_names(site.pk, SIGN)) == expected
    looks = [sql for sql in found if "SELECT id, name FROM" in sql]
    assert len(looks) == 1
    assert f"> {row.seen}" in looks[0]


def test_time_that_runs_out_keeps_how_far_it_looked(site, many):
    for tries in range(1, 10):
        matched_names.forget()
        try:
            found = matching_names_of_each(site.pk, [SIGN, DIGIT], budget=-1)
        except Unavailable:
            assert {row.seen for row in RuleNames.objects.all()} == {
                sorted(many.values())[10 * tries - 1]
            }
        else:
            break
    assert tries == 7
    assert list(found[SIGN]) == right(many, SIGN)


@pytest.mark.parametrize(
    "ids", [[], [1], [2**62], list(range(5, 9_000)), list(range(0, 2**40, 2**33 + 7))]
)
def test_packed_ids_are_the_same_again(ids):
    raw = array("q", ids).tobytes()
    stored = matched_names.packed(raw)
    assert len(stored) % 8
    assert matched_names.unpacked(stored) == raw
    if len(ids) > 800:
        assert len(stored) < len(raw) / 50


def test_row_of_ids_that_are_not_packed_is_read(site, many):
    expected = list(matching_names(site.pk, SIGN))
    RuleNames.objects.update(ids=array("q", expected).tobytes())
    matched_names.forget()
    assert list(matching_names(site.pk, SIGN)) == expected


def test_matches_that_cannot_be_stored_in_time_are_stored_later(
    site, many, monkeypatch
):
    monkeypatch.setattr(matched_names, "_CHUNK", 100)
    monkeypatch.setattr(matched_names, "_STORED_BYTES", 1)
    rules = [SIGN, DIGIT, Rule("event", "contains", "log")]
    for stored in (1, 2, 3, 3):
        found = matching_names_of_each(site.pk, rules, budget=-1)
        assert {rule: list(ids) for rule, ids in found.items()} == {
            rule: right(many, rule) for rule in rules
        }
        assert RuleNames.objects.count() == stored
    RuleNames.objects.all().delete()
    matched_names.forget()
    matching_names_of_each(site.pk, rules)
    assert RuleNames.objects.count() == 3


def test_many_rules_look_at_few_names_before_the_time(site, many, monkeypatch):
    monkeypatch.setattr(matched_names, "_COMPARISONS", 12)
    monkeypatch.setattr(matched_names, "_WORTH_KEEPING", 1)
    with pytest.raises(Unavailable):
        matching_names_of_each(site.pk, [SIGN, DIGIT], budget=-1)
    seen = {row.seen for row in RuleNames.objects.all()}
    assert seen == {sorted(many.values())[5]}


def test_names_told_of_are_not_read_again(site, many):
    assert matched_names.remembered(site.pk, [SIGN]) is None
    matching_names(site.pk, SIGN)
    known = matched_names.remembered(site.pk, [SIGN]) or {}
    store(site, "event", "signup 60")
    store(site, "pageview", "/sign")
    fresh = EventName.objects.filter(pk__gt=known[SIGN].seen).order_by("pk")
    named = list(fresh.values_list("pk", "type", "name"))
    matched_names.look_at(site.pk, known, named)
    assert len(known[SIGN]) == 31
    with captured_queries() as found:
        assert matching_names(site.pk, SIGN) is known[SIGN]
    assert len(found) == 1


def test_row_is_not_written_for_each_new_name(site, many):
    matching_names(site.pk, SIGN)
    seen = RuleNames.objects.get().seen
    store(site, "event", "signup 60")
    assert len(matching_names(site.pk, SIGN)) == 31
    assert RuleNames.objects.get().seen == seen


def test_memory_of_names_has_a_bound(site, many, monkeypatch):
    monkeypatch.setattr(matched_names._names, "max_length", 200)
    rules = [Rule("event", "contains", f"up {number}") for number in range(20)]
    found = matching_names_of_each(site.pk, rules)
    assert {rule: list(ids) for rule, ids in found.items()} == {
        rule: right(many, rule) for rule in rules
    }
    assert matched_names._names.length <= 200


def test_forgotten_names_are_not_taken_for_looked_at(site, many, monkeypatch):
    """A rule that was dropped from memory between two looks begins anew."""
    matching_names(site.pk, SIGN)
    known = matched_names.remembered(site.pk, [SIGN]) or {}
    matched_names.forget()
    store(site, "event", "signup 60")
    fresh = EventName.objects.filter(name="signup 60").values_list("pk", "type", "name")
    matched_names.look_at(site.pk, known, list(fresh))
    assert len(known[SIGN]) == len(matching_names(site.pk, SIGN)) == 31


def test_site_without_names_has_none(site):
    assert list(matching_names(site.pk, SIGN)) == []
    assert events.last_name_id(site.pk) == 0
