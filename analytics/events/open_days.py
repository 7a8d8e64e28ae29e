"""The events of a day that is not over, in memory, read once each.

What was read is kept as a column each; a question reads only what came since.
That is exact because ids of a site become visible in ascending order (see
`writing.append`): whoever has seen one id has seen all before it.
"""

import threading
from array import array
from collections.abc import Iterable
from datetime import date
from operator import itemgetter
from typing import NamedTuple

from analytics.models import Event
from analytics.recent import Recent

# 16 bytes an event, of all days together; the day that is asked for always stays.
_MAX_EVENTS = 4_000_000


_FIRST = itemgetter(0)


class Amount(NamedTuple):
    """An amount of the day's event at `position`, in ten-thousandths."""

    position: int
    currency: str | None
    amount: int


class OpenDay:
    """One day of one site. Read it under `lock`, after `refresh`."""

    def __init__(self, site_id: int, day: date) -> None:
        self.lock = threading.Lock()
        self.names = array("q")
        self.visitors = array("q")
        self.amounts: list[Amount] = []
        self._unread = Event.objects.filter(site_id=site_id, day=day).order_by()
        self.last_id = 0

    def __len__(self) -> int:
        return len(self.names)

    def refresh(self, seen: int) -> int:
        """Read the events that were committed since the last time; their number.

        `seen`: the id of any event of the site that was read before. All up to
        it are visible by now, so that the next reading may begin there and not
        go through the events of later days again.
        """
        rows = self._unread.filter(pk__gt=self.last_id).values_list(
            "pk", "name_id", "visitor", "amount", "currency"
        )
        # Sorted here: asked for the order, the database would read every
        # event there is along its primary key to find the day's.
        for pk, name_id, visitor, amount, currency in sorted(rows, key=_FIRST):
            if amount is not None:
                self.amounts.append(Amount(len(self), currency, amount))
            self.names.append(name_id)
            self.visitors.append(visitor)
            self.last_id = pk
        self.last_id = max(self.last_id, seen)
        return len(self)


_days: Recent[tuple[int, date], OpenDay] = Recent(
    _MAX_EVENTS, lambda key: OpenDay(*key)
)


def opened(site_id: int, days: Iterable[date]) -> dict[date, OpenDay]:
    """The days as this process remembers them."""
    found = _days.recall((site_id, day) for day in days)
    return {day: open_day for (_, day), open_day in found.items()}


def forget() -> None:
    """Drop the remembered days."""
    _days.forget()
