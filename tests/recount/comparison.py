"""A slow recount of what a period is compared with."""

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import NamedTuple

from tests.recount.goals import DAY, Raw, each


class Earlier(NamedTuple):
    """The days, and the moment before which the last of them ends."""

    first: date
    last: date
    until: datetime | None
    day_of: Callable[[date], date | None]

    def has(self, raw: Raw) -> bool:
        in_time = self.until is None or raw.day < self.last or raw.at < self.until
        return self.first <= raw.day <= self.last and in_time

    @property
    def shown(self) -> dict[str, object]:
        until = self.until and f"{self.until:%Y-%m-%dT%H:%M:%SZ}"
        period = {"from": f"{self.first}", "to": f"{self.last}"}
        return {"period": period, "until": until}


def earlier(kind: str, first: date, last: date, now: datetime) -> Earlier:
    """`now` in the time zone of the site, whose days are compared day by day."""
    runs = first <= now.date() <= last
    if kind == "previous_month":
        start, end = a_month_before(first), a_month_before(now.date() if runs else last)
        if not runs and (last + DAY).day == 1:
            end = date(end.year, end.month, monthrange(end.year, end.month)[1])
        has_hours = runs and end.day == now.day

        def day_of(day: date) -> date | None:
            found = a_month_before(day)
            return found if found.day == day.day else None
    else:
        apart = last - first + DAY
        if kind == "year":
            leap = (first.month, first.day) == (2, 29)
            before = first.replace(year=first.year - 1, day=28 if leap else first.day)
            apart = first - before
        start, end = first - apart, (now.date() if runs else last) - apart
        has_hours = runs

        def day_of(day: date) -> date | None:
            return day - apart

    until = None
    if has_hours:
        until = now.replace(year=end.year, month=end.month, day=end.day, fold=0)
    return Earlier(start, end, until and until.astimezone(UTC), day_of)


def a_month_before(day: date) -> date:
    end = day.replace(day=1) - DAY
    return end.replace(day=min(day.day, end.day))


def pairs(first: date, last: date, found: Earlier) -> list[date | None]:
    """For each day the one that it is compared with."""
    days = [found.day_of(day) for day in each(first, last)]
    return [day if day and day <= found.last else None for day in days]
