"""Sums of names, to which those of open days are added. Pure."""

from hypothesis import given
from hypothesis import strategies as st

from analytics.events.name_sums import NameSums

NUMBERS = st.dictionaries(
    st.integers(1, 12), st.tuples(st.integers(0, 4), st.integers(0, 4))
)


@given(
    NUMBERS,
    NUMBERS,
    st.sampled_from([("-events", 0), ("-visitors", 1)]),
    st.sets(st.integers(1, 12)),
    st.none() | st.tuples(st.integers(0, 8), st.integers(0, 12)),
    st.integers(1, 12),
)
def test_first_names_are_those_of_all_sorted(
    closed, more, order, without, after, limit
):
    name, at = order
    sums = {
        each: tuple(
            map(sum, zip(closed.get(each, (0, 0)), more.get(each, (0, 0)), strict=True))
        )
        for each in {*closed, *more} - without
    }
    ordered = sorted(sums.items(), key=lambda row: (-row[1][at], row[0]))
    if after is not None:
        place = (-after[0], after[1])
        ordered = [row for row in ordered if (-row[1][at], row[0]) > place]
    found = NameSums(closed).first(
        more, name, without=without, after=after, limit=limit
    )
    assert list(found.items()) == ordered[:limit]
