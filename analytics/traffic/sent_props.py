"""The properties of the events of a site."""

import msgspec

from analytics import events
from analytics.questions.period_query import DaysAnswer
from analytics.questions.periods import Days
from analytics.questions.time_limits import in_time

# As many events are looked at. More would tell of no other keys, but of those
# that nobody sends any more.
NEWEST = 50_000
VALUES = 10


class ValueAnswer(msgspec.Struct):
    # A text; also a number, a boolean or null.
    value: str | int | float | bool | None
    events: int


class PropAnswer(msgspec.Struct):
    """A property key, with the number of events that have it and the JSON types of its
    values.

    `values` are its most frequent values, `total_values` the number of all values.
    """

    key: str
    events: int
    types: dict[str, int]
    values: list[ValueAnswer]
    total_values: int


class SentPropsAnswer(msgspec.Struct):
    """The properties of a site's events. `looked_at` is the number of events that were
    examined, newest first.

    `is_complete` tells whether these are all events of the period.
    """

    period: DaysAnswer
    looked_at: int
    is_complete: bool
    props: list[PropAnswer]
    total_keys: int


@in_time()
def sent_props(
    site_id: int, days: Days, *, name_id: int | None = None, keys: int
) -> SentPropsAnswer:
    """Return the properties of all events of the period, or of those with one name."""
    found = events.props_sent(
        site_id, days, name_id=name_id, newest=NEWEST + 1, keys=keys, values=VALUES
    )
    return SentPropsAnswer(
        DaysAnswer(*days),
        found.looked_at,
        found.looked_at <= NEWEST,
        [
            PropAnswer(
                prop.key,
                prop.events,
                prop.types,
                [ValueAnswer(*value) for value in prop.values],
                prop.total_values,
            )
            for prop in found.props
        ],
        found.total_keys,
    )
