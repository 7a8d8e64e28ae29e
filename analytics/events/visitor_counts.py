"""How many visitors there were: the distinct ones of each day, summed."""

from collections.abc import Iterable

from analytics.events.selection import Selection


def visitors(selection: Selection) -> int:
    """Visitors with any event: whoever converted was there."""
    return selection.events().values("day", "visitor").distinct().count()


def visitors_of_both(
    selection: Selection, name_ids: Iterable[int], other_ids: Iterable[int]
) -> int:
    """Visitors with events of both kinds of name on the same day."""
    one, other = (
        selection.named(ids).values("day", "visitor") for ids in (name_ids, other_ids)
    )
    return one.intersection(other).count()
