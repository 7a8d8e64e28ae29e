"""Exchange rates: reading the files of the European Central Bank, and looking rates up.

A rate is the number of units of a currency that one euro was worth. The bank publishes
no rates on weekends and holidays: a day without a rate takes the latest earlier one,
which may be a week old at most.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from goals.models import ExchangeRate
from goals.money.conversion import Sums

OLDEST = timedelta(days=7)


class Rates:
    """Rates by currency and day."""

    def __init__(self, rates: Mapping[tuple[str, date], Decimal]) -> None:
        self._rates = rates
        self._days: dict[str, list[date]] = {}
        for currency, day in sorted(rates):
            self._days.setdefault(currency, []).append(day)

    def per_euro(self, day: date, currency: str) -> Decimal | None:
        """Return the rate of that day, or of the last day before it that has one."""
        if currency == "EUR":
            return Decimal(1)
        days = self._days.get(currency, [])
        position = bisect_right(days, day)
        if not position or day - days[position - 1] > OLDEST:
            return None
        return self._rates[currency, days[position - 1]]


def needed(sums: Sums, currency: str) -> Rates:
    """Return the rates needed to convert these sums. If none are needed, no query is
    sent.
    """
    foreign = {code for _, code in sums} - {None, currency}
    if not foreign:
        return Rates({})
    days = [day for day, code in sums if code in foreign]
    rows = ExchangeRate.objects.filter(
        currency__in=[*foreign, currency],
        day__range=(min(days) - OLDEST, max(days)),
    ).values_list("currency", "day", "rate")
    return Rates({(code, day): Decimal(rate) for code, day, rate in rows})


class LineError(ValueError):
    """A line that is not in the format of the bank's files."""


_CODE = re.compile(r"[A-Z]{3}")
_NONE = ("N/A", "")
# No more digits than the column has; neither signs nor exponents.
_RATE = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?")


def read_header(line: str) -> list[str]:
    """Return the currencies of the file's columns. Raises LineError."""
    first, *codes = _cells(line)
    if first != "Date" or not codes or not all(map(_CODE.fullmatch, codes)):
        raise LineError
    return codes


def read_line(line: str, codes: Sequence[str]) -> dict[tuple[str, date], str]:
    """Return one day's rates by currency and day, all or none. Raises LineError."""
    first, *cells = _cells(line)
    day = _day(first)
    if len(cells) != len(codes):
        raise LineError
    known = [pair for pair in zip(codes, cells, strict=True) if pair[1] not in _NONE]
    if not all(_RATE.fullmatch(cell) and Decimal(cell) for _, cell in known):
        raise LineError
    return {(code, day): cell for code, cell in known}


def _cells(line: str) -> list[str]:
    """The bank ends its lines with a comma, and some of its files pad cells."""
    return [cell.strip() for cell in line.strip().removesuffix(",").split(",")]


def _day(text: str) -> date:
    for form in ("%Y-%m-%d", "%d %B %Y"):
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 - a day
        except ValueError:
            continue
    raise LineError


def store(rates: Mapping[tuple[str, date], str]) -> dict[str, int]:
    """Store rates; return the numbers of `new` and `changed` ones."""
    days = {day for _, day in rates}
    stored = ExchangeRate.objects.filter(day__in=days)
    known = {(rate.currency, rate.day): rate.rate for rate in stored}
    fresh = {key: rate for key, rate in rates.items() if known.get(key) != rate}
    ExchangeRate.objects.bulk_create(
        (
            ExchangeRate(currency=currency, day=day, rate=rate)
            for (currency, day), rate in fresh.items()
        ),
        batch_size=1_000,
        update_conflicts=True,
        unique_fields=["currency", "day"],
        update_fields=["rate"],
    )
    changed = len(fresh.keys() & known.keys())
    return {"new": len(fresh) - changed, "changed": changed}
