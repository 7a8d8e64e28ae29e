"""Events one by one, newest first."""

from datetime import datetime

from django.db.models import Q

from analytics.events.dimensions import named
from analytics.models import Event, EventType


def listing(
    site_id: int,
    *,
    type: str | None = None,
    name: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    before: tuple[datetime, int] | None = None,
    limit: int,
) -> list[Event]:
    """Events newest first, with names and contexts; `start` in, `end` out.

    `before`: (at, id) of the last event already seen.
    """
    found = Event.objects.filter(site_id=site_id).select_related("name", "context")
    if name is not None:
        types = [type] if type else EventType.values
        ids = [pk for pk, _ in named(site_id, name, types=types)]
        found = found.filter(name__one_of=ids)
    elif type is not None:
        found = found.filter(name__type=type)
    if start is not None:
        found = found.filter(at__gte=start)
    if end is not None:
        found = found.filter(at__lt=end)
    if before is not None:
        at, pk = before
        found = found.filter(Q(at=at, pk__lt=pk) | Q(at__lt=at))
    return list(found.order_by("-at", "-pk")[:limit])
