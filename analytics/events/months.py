"""The format in which a month's closed days share one row. Pure.

A day without events takes one bit of `counted`. For other days the row has the numbers
and the version, which shows later changes (see `analytics.events.day_versions`).
"""

import calendar
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple, TypeVar

import msgspec

from analytics.questions.periods import Days

# By day of the month: [version, *numbers].
DaysOfMonth = dict[int, list[Any]]

_Counted = TypeVar("_Counted")

_decode = msgspec.msgpack.Decoder(DaysOfMonth).decode
_encode = msgspec.msgpack.Encoder().encode


class Versions:
    """Versions by day, 0 if missing, and their sums by month."""

    def __init__(self, by_day: Mapping[date, int]) -> None:
        self._by_day = by_day
        self._by_month: dict[date, int] = {}
        for day, version in by_day.items():
            month = month_of(day)
            self._by_month[month] = self._by_month.get(month, 0) + version

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Versions) and self._by_day == other._by_day

    __hash__ = None  # type: ignore[assignment]

    def of_day(self, day: date) -> int:
        return self._by_day.get(day, 0)

    def of_month(self, month: date) -> int:
        return self._by_month.get(month, 0)


class Month(NamedTuple):
    """The days of a month that are counted and valid: a bit each, and by number."""

    counted: int = 0
    days: DaysOfMonth = {}


def month_of(day: date) -> date:
    return day.replace(day=1)


def last_of(month: date) -> date:
    return month.replace(day=calendar.monthrange(month.year, month.month)[1])


def next_of(month: date) -> date:
    return last_of(month) + timedelta(days=1)


def whole_months(days: Days) -> Days:
    return Days(month_of(days.first), last_of(days.last))


def masks(days: Days) -> Iterator[tuple[date, int]]:
    """Each month of a period, and a bit for each of its days that are in it."""
    month = month_of(days.first)
    while True:
        last = last_of(month)
        low = days.first.day if days.first > month else 1
        high = days.last.day if days.last < last else last.day
        yield month, ((1 << high) - 1) ^ ((1 << low - 1) - 1)
        if last >= days.last:
            return
        month = last + timedelta(days=1)


def numbers(mask: int) -> Iterator[int]:
    """The days of the month whose bit is set."""
    for number in range(1, mask.bit_length() + 1):
        if mask >> (number - 1) & 1:
            yield number


def unpack(
    month: date, version: int, counted: int, days: bytes, versions: Versions
) -> Month:
    """The days of a row whose versions are unchanged."""
    kept = _decode(days)
    if version == versions.of_month(month):
        return Month(counted, kept)
    valid = 0
    for number in numbers(counted):
        made_under = kept[number][0] if number in kept else 0
        if made_under == versions.of_day(month.replace(day=number)):
            valid |= 1 << number - 1
        else:
            kept.pop(number, None)
    return Month(valid, kept)


def added(
    month: date,
    kept: Month,
    mask: int,
    versions: Versions,
    counted: Mapping[date, _Counted],
    numbers_of: Callable[[_Counted | None], list[Any]],
) -> Month:
    """A month with more counted days; None stands for a day without events.

    A day without events has only a version, and only if it ever changed.
    """
    days = dict(kept.days)
    for number in numbers(mask):
        day = month.replace(day=number)
        version, of_day = versions.of_day(day), counted.get(day)
        if version or of_day is not None:
            days[number] = [version, *numbers_of(of_day)]
    return Month(kept.counted | mask, days)


def all_days(days: bytes) -> DaysOfMonth:
    """The days of a row, valid or not. Raises MsgspecError for a malformed row."""
    return _decode(days)


def pack(days: DaysOfMonth) -> bytes:
    return _encode(days)
