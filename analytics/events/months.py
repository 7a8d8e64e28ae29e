"""How the counts of a month's closed days share one row. Pure.

A day on which nothing happened takes a bit of `counted` and nothing else. What
is kept of another are its version, by which a change that came late is told
(see `analytics.events.day_versions`), and its numbers.
"""

import calendar
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

import msgspec

from analytics.questions.periods import Days

# By day of the month: [version, *numbers].
DaysOfMonth = dict[int, list[Any]]

_decode = msgspec.msgpack.Decoder(DaysOfMonth).decode
_encode = msgspec.msgpack.Encoder().encode


class Versions:
    """The versions of days, 0 for those that are not given, and their sums."""

    def __init__(self, by_day: Mapping[date, int]) -> None:
        self._by_day = by_day
        self._by_month: dict[date, int] = {}
        for day, version in by_day.items():
            month = month_of(day)
            self._by_month[month] = self._by_month.get(month, 0) + version

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
    """The days of the month that have a bit."""
    for number in range(1, mask.bit_length() + 1):
        if mask >> (number - 1) & 1:
            yield number


def unpack(
    month: date, version: int, counted: int, days: bytes, versions: Versions
) -> Month:
    """A row's days as far as their versions still stand."""
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


def pack(days: DaysOfMonth) -> bytes:
    return _encode(days)
