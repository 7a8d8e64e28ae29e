"""The bound of a process's memories."""

from analytics.recent import Recent


def made(length):
    return Recent(length, lambda key: [])


def test_value_is_made_once():
    recent = made(1_000)
    recent.recall(["a"])["a"].append(1)
    assert recent.recall(["a", "b"]) == {"a": [1], "b": []}


def test_those_asked_for_longest_ago_are_dropped_when_others_grow():
    recent = made(1_000)
    for key in "abc":
        recent.recall([key])[key].extend(range(300))
        recent.settle([key])
    assert recent.length <= 1_000
    assert [len(value) for value in recent.recall("abc").values()] == [0, 300, 300]


def test_bound_holds_for_one_value_that_is_larger():
    recent = made(1_000)
    value = recent.recall(["a"])["a"]
    value.extend(range(2_000))
    recent.settle(["a"])
    assert recent.length == 0
    assert recent.recall(["a"])["a"] is not value


def test_bound_holds_for_any_number_of_empty_values():
    recent = made(1_000)
    recent.recall(range(10_000))
    recent.settle([])
    assert recent.length <= 1_000


def test_what_is_forgotten_is_made_again():
    recent = made(1_000)
    recent.recall(["a"])["a"].append(1)
    recent.settle(["a"])
    recent.forget()
    assert (recent.length, recent.recall(["a"])) == (0, {"a": []})
