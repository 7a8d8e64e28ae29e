"""The days that a row of a month holds."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from analytics.events.months import Versions, masks, numbers, pack, unpack
from analytics.questions.periods import Days, each_day

MARCH = date(2024, 3, 1)
DAYS = st.dates(date(2023, 12, 20), date(2024, 4, 10))


@given(DAYS, DAYS)
def test_masks_are_the_days_of_the_period(one, other):
    days = Days(min(one, other), max(one, other))
    found = [
        month.replace(day=number)
        for month, mask in masks(days)
        for number in numbers(mask)
    ]
    assert found == list(each_day(days))


@given(st.data())
def test_day_holds_while_its_version_stands(data):
    counts = st.dictionaries(st.integers(1, 31), st.integers(0, 3))
    then, now = data.draw(counts), data.draw(counts)
    # Versions only rise.
    now = {n: max(then.get(n, 0), now.get(n, 0)) for n in then.keys() | now.keys()}
    counted = data.draw(st.integers(0, 2**31 - 1))
    busy = data.draw(st.sets(st.integers(1, 31)))
    kept = {
        number: [then.get(number, 0), 5, 4]
        for number in numbers(counted)
        if number in busy or then.get(number)
    }
    found = unpack(
        MARCH, sum(then.values()), counted, pack(kept), Versions(by_day(now))
    )
    valid = {n for n in numbers(counted) if then.get(n, 0) == now.get(n, 0)}
    assert set(numbers(found.counted)) == valid
    assert found.days == {n: row for n, row in kept.items() if n in valid}


def by_day(versions):
    return {MARCH + timedelta(days=n - 1): v for n, v in versions.items()}
