"""Sorted values to which others are added."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.events.ranked import Ranked

NUMBERS = st.dictionaries(
    st.sampled_from([None, *"abcdefghij"]),
    st.tuples(st.integers(0, 9), st.integers(0, 3)),
)


@given(NUMBERS, NUMBERS, st.integers(1, 5))
def test_first_values_are_those_of_both_together(closed, more, limit):
    both = {
        value: tuple(
            map(
                sum,
                zip(closed.get(value, (0, 0)), more.get(value, (0, 0)), strict=True),
            )
        )
        for value in closed | more
    }
    rows = sorted(
        ((value, *numbers) for value, numbers in both.items()),
        key=lambda row: (-row[2], row[0] is None, row[0] or ""),
    )
    found = Ranked(closed).first(more, limit=limit)
    assert list(map(tuple, found.rows)) == rows[:limit]
    assert found.values == len(both)
    assert found.pageviews == sum(views for views, _ in both.values())


@pytest.mark.parametrize(
    ("among", "rows", "pageviews"),
    [
        (["a", "x"], [("a", 3, 2)], 3),
        (["c", None, "a"], [("a", 3, 2), ("c", 1, 1), (None, 4, 1)], 8),
    ],
)
def test_of_some_values_those_that_are_there_are_found(among, rows, pageviews):
    ranked = Ranked({"a": (2, 1), "b": (9, 9), None: (4, 1)})
    found = ranked.first({"a": (1, 1), "c": (1, 1)}, limit=9, among=among)
    assert found.rows == rows
    assert (found.values, found.pageviews) == (len(rows), pageviews)
