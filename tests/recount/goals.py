"""A slow recount of raw events in Python, to check every number.

It knows neither SQL nor the code that it checks.
"""

import json
import math
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
    # What follows from the events of its visitor: see `tests.recount.sources`.
    entry: str | None = None
    visit: int | None = None
    began: datetime | None = None
    arrived: datetime | None = None


class Recount:
    """What the answers about one goal must be."""

    def __init__(
        self,
        history: list[Raw],
        goal: Goal,
        rates: Rates,
        keeps: Any = lambda raw: True,
    ) -> None:
        self.goal, self.rates = goal, rates
        self.everything = [raw for raw in history if keeps(raw)]
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

    def breakdown(
        self, first: date, last: date, dimension: str, *, with_all: bool = False
    ) -> list[dict[str, Any]]:
        value = DIMENSIONS[dimension]
        groups: dict[str, list[Raw]] = {}
        for raw in self.within(first, last):
            groups.setdefault(shown(value(raw)), []).append(raw)
        everybody: dict[str, list[Raw]] = {}
        for raw in happened(self.everything, first, last):
            everybody.setdefault(shown(value(raw)), []).append(raw)
        rows = [{"value": v, **self.numbers(raws)} for v, raws in groups.items()]
        # Where money does not count, a value of refunds alone says nothing.
        rows = [row for row in rows if row["conversions"] or self.goal.currency]
        if dimension in LABELS or with_all:
            seen = {row["value"] for row in rows}
            if with_all:
                rows += [
                    {"value": v, **self.numbers([])} for v in everybody.keys() - seen
                ]
            for row in rows:
                row["visitors"] = len(whom(everybody.get(row["value"], [])))
        if self.goal.currency:
            worths = shares(groups, self.goal.currency, self.rates)
            for row in rows:
                row["revenue"] = worths.get(row["value"], Decimal())
        return rows


def shares(
    groups: dict[str, list[Raw]], currency: str, rates: Rates
) -> dict[str, Decimal]:
    """The revenue of each, so that they add up: the largest remainders get a unit."""
    worths = dict.fromkeys(groups, Decimal())
    raws = [raw for own in groups.values() for raw in own if raw.amount is not None]
    unit = Decimal(1) if currency == "JPY" else Decimal("0.01")
    for day, code in {(raw.day, raw.currency) for raw in raws}:
        own = {value: sum_of(some, day, code) for value, some in groups.items()}
        whole = worth(day, code, sum(own.values(), Decimal()), currency, rates)
        if whole is None:
            continue
        if code in (None, currency):
            for value, amount in own.items():
                worths[value] += amount
            continue
        had, wanted = (per_euro(day, c, rates) for c in (str(code), currency))
        rate = (wanted or Fraction()) / (had or Fraction(1)) / Fraction(unit)
        exact = {value: Fraction(amount) * rate for value, amount in own.items()}
        for value, units in exact.items():
            worths[value] += math.floor(units) * unit
        left = whole - sum(math.floor(units) for units in exact.values()) * unit
        # Of equal ones the first: texts, numbers, false, true, null.
        order = sorted(exact, key=lambda v: (math.floor(exact[v]) - exact[v], rank(v)))
        for value in order[: int(left / unit)]:
            worths[value] += unit
    return worths


def sum_of(raws: list[Raw], day: date, code: str | None) -> Decimal:
    own = [raw for raw in raws if (raw.day, raw.currency) == (day, code)]
    return sum((raw.amount or Decimal() for raw in own), Decimal())


def rank(value: str) -> tuple[int, Any]:
    known = json.loads(value)
    if known is None or isinstance(known, bool):
        return (3, 0) if known is None else (2, known)
    return (0, known) if isinstance(known, str) else (1, known)


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
    "os": lambda raw: raw.labels.os or None,
    "referrer": lambda raw: raw.labels.referrer or None,
    "utm_campaign": lambda raw: raw.labels.utm_campaign or None,
    "utm_source": lambda raw: raw.labels.utm_source or None,
    "channel": lambda raw: channel(raw.labels),
    "entry_path": lambda raw: raw.entry,
    "name": lambda raw: raw.name,
    "path": lambda raw: raw.name if raw.type == "pageview" else raw.page,
    "props.k": lambda raw: (raw.props or {}).get("k"),
}
LABELS = (
    *("country", "os", "referrer", "utm_campaign", "utm_source"),
    *("channel", "entry_path"),
)


def channel(labels: Labels) -> str:
    """Of the few sources that histories have."""
    if labels.referrer == "Google":
        return "Search"
    if labels.utm_source or labels.utm_campaign:
        return {"email": "Email"}.get(labels.utm_source, "Other campaign")
    return "Referral" if labels.referrer else "Direct"
