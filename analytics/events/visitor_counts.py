"""How many visitors there were: the distinct ones of each day, summed."""

from collections.abc import Iterable

from analytics.events.selection import Scope


def visitors(scope: Scope) -> int:
    """Visitors with any event: whoever converted was there."""
    return scope.events().values("day", "visitor").distinct().count()


def visitors_of_both(
    scope: Scope, name_ids: Iterable[int], other_ids: Iterable[int]
) -> int:
    """Visitors with events of both kinds of name on the same day."""
    one, other = (
        scope.named(ids).values("day", "visitor") for ids in (name_ids, other_ids)
    )
    return one.intersection(other).count()
