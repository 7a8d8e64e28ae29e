"""The labels of a visitor, and the filters by them. Pure."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal, NamedTuple, get_args

# Which labels an event has: those of the latest arrival of its visitor that day, of
# the first one, or its own (see `analytics.events.attribution`).
Attribution = Literal["last", "first", "event"]
ATTRIBUTIONS: tuple[Attribution, ...] = get_args(Attribution)
DEFAULT_ATTRIBUTION: Attribution = "last"


class Labels(NamedTuple):
    """The columns of Context, in its order; `""` where unknown."""

    referrer: str = ""
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    country: str = ""
    device: str = ""
    browser: str = ""
    os: str = ""
    utm_term: str = ""
    utm_content: str = ""
    click_id: str = ""


# The labels of the visitor's device; all others belong to an arrival.
OWN = ("country", "device", "browser", "os")

DEVICES = ("Desktop", "Mobile", "Tablet", "TV", "Console")

# The path of the first page view of an event's visit, compared as it was sent.
ENTRY_PATH = "entry_path"

# What an event has beside its labels; `props.` and a key as well.
OF_EVENTS = ("path", "name")
PROPS = "props."


class Where(NamedTuple):
    """A filter: a dimension has one of the values, or with `negated` none of them.

    The value `""` stands for no value. `prefixes` are beginnings of values; the prefix
    `""` matches any value, but not the lack of one.
    """

    label: str
    values: tuple[str, ...]
    negated: bool = False
    prefixes: tuple[str, ...] = ()

    @property
    def is_of_events(self) -> bool:
        return self.label in OF_EVENTS or self.label.startswith(PROPS)

    def folded(self, fold: Callable[[str], str]) -> "Where":
        values, prefixes = map(fold, self.values), map(fold, self.prefixes)
        return self._replace(values=tuple(values), prefixes=tuple(prefixes))

    def passes(self, value: str) -> bool:
        begins = value != "" and value.startswith(self.prefixes)
        return (value in self.values or begins) != self.negated


class Filters(NamedTuple):
    """The selection of events by their labels.

    `until`: only events before this time, which is on the last day.
    """

    where: tuple[Where, ...] = ()
    attribution: Attribution = DEFAULT_ATTRIBUTION
    until: datetime | None = None

    @property
    def narrows(self) -> bool:
        """Return whether the filters exclude some events of the days."""
        return bool(self.where) or self.until is not None

    @property
    def of_whole_days(self) -> "Filters":
        return self._replace(until=None)


# All events, by the default attribution.
EVERYTHING = Filters()
