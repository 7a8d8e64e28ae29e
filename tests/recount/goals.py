"""A slow recount of raw events in Python, to check every number.

It knows neither SQL nor the code that it checks.
"""

import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from analytics.events import Labels
from goals.matching import Rule
from goals.models import Goal

DAY = timedelta(days=1)
# What a euro is worth, by (currency, day).
Rates = dict[tuple[str, date], str]


class Raw(NamedTuple):
    """An event, or with `refunds` a refund of one, as it was sent."""

    type: str
    name: str
    day: date
    at: datetime
    visitor: int
    labels: Labels = Labels()
    page: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    props: dict[str, Any] | None = None
    event_id: str | None = None
    refunds: bool = False


class Recount:
    """What the answers about one goal must be."""

    def __init__(
        self,
        history: list[Raw],
        goal: Goal,
        rates: Rates,
        keeps: Any = lambda labels: True,
    ) -> None:
        self.goal, self.rates = goal, rates
        self.everything = [raw for raw in history if keeps(raw.labels)]
        self.matching = [
            raw for raw in self.everything if matches(goal, raw.type, raw.name)
        ]

    def numbers(self, raws: list[Raw], visitors: Any = None) -> dict[str, Any]:
        own = [raw for raw in raws if not raw.refunds]
        return {
            "conversions": len(own),
            "unique_conversions": len(visitors(own) if visitors else whom(own)),
            "revenue": revenue(raws, self.goal.currency, self.rates),
        }

    def within(self, first: date, last: date) -> list[Raw]:
        return [raw for raw in self.matching if first <= raw.day <= last]

    def stats(self, first: date, last: date) -> dict[str, Any]:
        return self.numbers(self.within(first, last))

    def days(self, first: date, last: date, interval: str) -> list[dict[str, Any]]:
        buckets: dict[Any, list[date]] = {}
        for day in each(first, last):
            key = {
                "day": day,
                "week": day.isocalendar()[:2],
                "month": (day.year, day.month),
            }[interval]
            buckets.setdefault(key, []).append(day)
        return [
            {"date": f"{days[0]}", **self.stats(days[0], days[-1])}
            for days in buckets.values()
        ]

    def hours(self, first: date, last: date, zone: ZoneInfo) -> list[dict[str, Any]]:
        rows = []
        for day in each(first, last):
            start, night = midnight(day, zone), midnight(day + DAY, zone)
            while start < night:
                end = min(start + timedelta(hours=1), night)
                raws = [raw for raw in self.matching if start <= raw.at < end]
                numbers = self.numbers(raws, lambda own: {raw.visitor for raw in own})
                rows.append({"start": f"{start:%Y-%m-%dT%H:%M:%SZ}", **numbers})
                start = end
        return rows

    def breakdown(self, first: date, last: date, value: Any) -> list[dict[str, Any]]:
        groups: dict[str, list[Raw]] = {}
        for raw in self.within(first, last):
            groups.setdefault(shown(value(raw)), []).append(raw)
        rows = [{"value": v, **self.numbers(raws)} for v, raws in groups.items()]
        # Where money does not count, a value of refunds alone says nothing.
        return [row for row in rows if row["conversions"] or self.goal.currency]


def matches(goal: Goal | Rule, type: str, name: str) -> bool:
    if type != {"custom": "goal"}.get(goal.type, goal.type):
        return False
    if goal.match_type == "exact":
        return name == goal.match_value
    if goal.match_type == "contains":
        return goal.match_value in name
    return re.search(goal.match_value, name) is not None


def happened(history: list[Raw], first: date, last: date) -> list[Raw]:
    """The events of these days; a refund is none."""
    return [raw for raw in history if first <= raw.day <= last and not raw.refunds]


def whom(raws: list[Raw]) -> set[tuple[date, int]]:
    return {(raw.day, raw.visitor) for raw in raws if not raw.refunds}


def revenue(raws: list[Raw], currency: str | None, rates: Rates) -> Decimal | None:
    if currency is None:
        return None
    sums: dict[tuple[date, str | None], Decimal] = {}
    for raw in raws:
        if raw.amount is not None:
            key = raw.day, raw.currency
            sums[key] = sums.get(key, Decimal()) + raw.amount
    worths = (worth(*key, sums[key], currency, rates) for key in sums)
    return sum((known for known in worths if known is not None), Decimal())


def worth(
    day: date, code: str | None, amount: Decimal, currency: str, rates: Rates
) -> Decimal | None:
    """Rounded to cents or yen, half to even; None without a rate."""
    if code in (None, currency):
        return amount
    had, wanted = (per_euro(day, c, rates) for c in (str(code), currency))
    if had is None or wanted is None:
        return None
    units = 1 if currency == "JPY" else 100
    return Decimal(round(Fraction(amount) * wanted / had * units)) / units


def per_euro(day: date, code: str, rates: Rates) -> Fraction | None:
    if code == "EUR":
        return Fraction(1)
    known = {on: rate for (its, on), rate in rates.items() if its == code}
    for age in range(8):
        if day - age * DAY in known:
            return Fraction(known[day - age * DAY])
    return None


def shown(value: Any) -> str:
    """As JSON, which tells 1, "1" and true apart; 1.0 is 1."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value)


def each(first: date, last: date) -> list[date]:
    return [first + n * DAY for n in range((last - first).days + 1)]


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


DIMENSIONS = {
    "country": lambda raw: raw.labels.country or None,
    "name": lambda raw: raw.name,
    "path": lambda raw: raw.name if raw.type == "pageview" else raw.page,
    "props.k": lambda raw: (raw.props or {}).get("k"),
}
