"""The interval of a difference of two numbers of visitors, and its verdict."""

from math import exp, lgamma, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.questions.differences import count, difference, told


@pytest.mark.parametrize(
    ("number", "low", "high"),
    [(0, 0.0, 3.8415), (1, 0.1765, 5.6649), (10, 5.4319, 18.4095)],
)
def test_interval_of_a_count_is_the_score_interval(number, low, high):
    # Its ends are where (number - mean) ** 2 == 3.8415 * mean.
    found = count(number)
    assert found.low == pytest.approx(low, abs=1e-4)
    assert found.high == pytest.approx(high, abs=1e-4)


@pytest.mark.parametrize("means", [(3, 3), (5, 12), (20, 20), (30, 18), (120, 90)])
def test_interval_covers_the_true_difference_in_95_of_100(means):
    covered = 0.0
    chances = [chances_of(mean) for mean in means]
    for now, one in enumerate(chances[0]):
        for before, other in enumerate(chances[1]):
            found = difference(count(now), count(before))
            if found.low <= means[0] - means[1] <= found.high:
                covered += one * other
    assert 0.94 < covered < 0.98


def chances_of(mean):
    """Of each number to come, if so many come on average."""
    most = int(mean + 8 * mean**0.5) + 10
    return [exp(n * log(mean) - mean - lgamma(n + 1)) for n in range(most)]


@pytest.mark.parametrize(
    ("now", "before", "verdict"),
    [
        (0, 0, "cannot_tell"),
        (3, 0, "cannot_tell"),
        (6, 0, "more"),
        (0, 6, "fewer"),
        (110, 100, "cannot_tell"),
        (130, 100, "more"),
        (1_100, 1_000, "more"),
        (70, 100, "fewer"),
    ],
)
def test_verdict_needs_an_interval_on_one_side_of_zero(now, before, verdict):
    interval, found = told(now, before)
    assert found == verdict
    assert interval.level == 0.95
    assert interval.low <= now - before <= interval.high


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_difference_turns_around(now, before):
    there, back = told(now, before), told(before, now)
    assert (there[0].low, there[0].high) == (-back[0].high, -back[0].low)
    turned = {"more": "fewer", "fewer": "more", "cannot_tell": "cannot_tell"}
    assert back[1] == turned[there[1]]
