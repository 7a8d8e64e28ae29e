"""The details of a goal's revenue: by currency, converted or not, and refunds."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from analytics import events
from analytics.events import Amounts
from analytics.questions.labels import EVERYTHING
from analytics.questions.periods import Days
from analytics.questions.time_limits import in_time
from goals.counting.matched_names import matching_names
from goals.models import Goal
from goals.money import conversion, rates
from goals.money.conversion import PerEuro, Sums


class Subtotal(msgspec.Struct):
    currency: str | None
    payment_count: int
    refund_count: int
    gross: Decimal
    refunds: Decimal
    net: Decimal


class Converted(msgspec.Struct):
    day: date
    currency: str
    amount: Decimal
    per_euro: dict[str, Decimal]
    worth: Decimal


class Unconverted(msgspec.Struct):
    currency: str
    count: int
    amount: Decimal


class GoalMoney(msgspec.Struct):
    currency: str
    gross: Decimal
    refunds: Decimal
    net: Annotated[Decimal, Meta(description="The revenue: payments minus refunds.")]
    subtotals: list[Subtotal]
    converted: list[Converted]
    unconverted: list[Unconverted]


_Key = tuple[date, str | None]
_Part = Mapping[_Key, Amounts]
_NOTHING = Amounts(Decimal(), 0)


@in_time()
def goal_money(
    goal: Goal, days: Days, filters: events.Filters = EVERYTHING
) -> GoalMoney | None:
    """Return the details of a goal's revenue on these days; None without a currency."""
    if not goal.currency:
        return None
    names = matching_names(goal.site_id, goal.rule)
    selection = events.Selection(goal.site_id, *days, filters)
    received, refunded = (
        events.received(selection, names),
        events.refunded(selection, names),
    )
    net = _net(received, refunded)
    known = rates.needed(net, goal.currency)
    return detail(received, refunded, goal.currency, known.per_euro)


def detail(
    received: _Part, refunded: _Part, currency: str, per_euro: PerEuro
) -> GoalMoney:
    """Return the details of revenue. Pure.

    `net` is the revenue, and `refunds` is `gross` minus `net`. Refunds are not rounded
    separately, so the three always add up.
    """
    net = _net(received, refunded)
    gross = {key: part.total for key, part in received.items()}
    total_gross = conversion.total(gross, currency, per_euro)
    total_net = conversion.total(net, currency, per_euro)
    return GoalMoney(
        currency=currency,
        gross=total_gross,
        refunds=total_gross - total_net,
        net=total_net,
        subtotals=[
            _subtotal(code, received, refunded, currency) for code in _codes(net)
        ],
        converted=list(_converted(net, currency, per_euro)),
        unconverted=_unconverted(received, refunded, currency, per_euro),
    )


def _net(received: _Part, refunded: _Part) -> dict[_Key, Decimal]:
    return {
        key: received.get(key, _NOTHING).total + refunded.get(key, _NOTHING).total
        for key in received.keys() | refunded.keys()
    }


def _codes(keys: Iterable[_Key]) -> list[str | None]:
    return sorted({code for _, code in keys}, key=lambda code: code or "")


def _subtotal(
    code: str | None, received: _Part, refunded: _Part, currency: str
) -> Subtotal:
    """Payments and refunds in one currency, unconverted; None for no currency."""
    came, went = (
        [part for (_, own), part in parts.items() if own == code]
        for parts in (received, refunded)
    )
    gross = sum((part.total for part in came), Decimal())
    back = sum((part.total for part in went), Decimal())
    unit = code or currency
    return Subtotal(
        currency=code,
        payment_count=sum(part.times for part in came),
        refund_count=sum(part.times for part in went),
        gross=conversion.in_minor_units(gross, unit),
        refunds=conversion.in_minor_units(-back, unit),
        net=conversion.in_minor_units(gross + back, unit),
    )


def _converted(net: Sums, currency: str, per_euro: PerEuro) -> Iterator[Converted]:
    """Each conversion with its exchange rates, so that it can be checked."""
    for day, code in _foreign(net, currency):
        amount = net[day, code]
        worth = conversion.convert(amount, day, code, currency, per_euro)
        if worth is None:
            continue
        rates = {unit: per_euro(day, unit) for unit in (code, currency)}
        yield Converted(
            day=day,
            currency=code,
            amount=conversion.in_minor_units(amount, code),
            per_euro={unit: rate for unit, rate in rates.items() if rate is not None},
            worth=worth,
        )


def _unconverted(
    received: _Part, refunded: _Part, currency: str, per_euro: PerEuro
) -> list[Unconverted]:
    """The number of payments and refunds without a rate, and their net amount."""
    net = _net(received, refunded)
    counts: Counter[str] = Counter()
    amounts: defaultdict[str, Decimal] = defaultdict(Decimal)
    for day, code in _foreign(net, currency):
        amount = net[day, code]
        if conversion.convert(amount, day, code, currency, per_euro) is None:
            counts[code] += received.get((day, code), _NOTHING).times
            counts[code] += refunded.get((day, code), _NOTHING).times
            amounts[code] += amount
    return [
        Unconverted(code, counts[code], conversion.in_minor_units(amounts[code], code))
        for code in sorted(counts)
    ]


def _foreign(keys: Iterable[_Key], currency: str) -> list[tuple[date, str]]:
    return sorted((day, code) for day, code in keys if code and code != currency)
