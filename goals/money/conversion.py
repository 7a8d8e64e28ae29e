"""Conversion of amounts into a goal's currency. Pure; exact numbers only.

Amounts are given as sums by day and currency. Each sum is converted separately and
rounded once, half to even, to the minor unit of the goal's currency; an amount
in that currency is never rounded.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import floor

from analytics.currencies import EXPONENTS

Sums = Mapping[tuple[date, str | None], Decimal]
# Units of a currency that one euro was worth on a day; None if unknown.
PerEuro = Callable[[date, str], Decimal | None]


def total(sums: Sums, currency: str, per_euro: PerEuro) -> Decimal:
    """Return the revenue in `currency`, from sums by day and currency.

    An amount without a currency counts in the goal's currency. An amount without an
    exchange rate is left out; it is never taken 1:1.
    """
    worth = (
        convert(amount, day, code, currency, per_euro)
        for (day, code), amount in sums.items()
    )
    return in_minor_units(sum(filter(None, worth), Decimal()), currency)


def shares(parts: Sequence[Sums], currency: str, per_euro: PerEuro) -> list[Decimal]:
    """Return the revenue of each part. The parts add up to the `total` of all.

    The sum of a day and currency is rounded once. Its parts are rounded down, and the
    remaining units go to the parts with the largest remainders, the first among equals.
    """
    worths = [Decimal() for _ in parts]
    exponent = _exponent(currency)
    amounts: dict[tuple[date, str | None], dict[int, Decimal]] = {}
    for number, part in enumerate(parts):
        for key, amount in part.items():
            amounts.setdefault(key, {})[number] = amount
    for (day, code), own in amounts.items():
        whole = sum(own.values(), Decimal())
        worth = convert(whole, day, code, currency, per_euro)
        if worth is None:
            continue
        if code is None or code == currency:
            for number, amount in own.items():
                worths[number] += amount
            continue
        per_unit = _per_unit(day, code, currency, per_euro) * 10**exponent
        exact = {number: Fraction(amount) * per_unit for number, amount in own.items()}
        units = {number: floor(share) for number, share in exact.items()}
        left = int(worth.scaleb(exponent)) - sum(units.values())
        by_remainder = sorted(exact, key=lambda n: units[n] - exact[n])
        for number in by_remainder[:left]:
            units[number] += 1
        for number, share in units.items():
            worths[number] += Decimal(share).scaleb(-exponent)
    return [in_minor_units(worth, currency) for worth in worths]


def _per_unit(day: date, code: str, currency: str, per_euro: PerEuro) -> Fraction:
    had, wanted = per_euro(day, code), per_euro(day, currency)
    assert had is not None and wanted is not None  # noqa: S101, PT018 - it was converted
    return Fraction(wanted) / Fraction(had)


def convert(
    amount: Decimal, day: date, code: str | None, currency: str, per_euro: PerEuro
) -> Decimal | None:
    """Return a day's amount in `currency`; None without an exchange rate."""
    if code is None or code == currency:
        return amount
    had, wanted = per_euro(day, code), per_euro(day, currency)
    if had is None or wanted is None:
        return None
    exponent = _exponent(currency)
    # A fraction, since the quotient of two decimals would already be rounded.
    exact = Fraction(amount) * Fraction(wanted) / Fraction(had)
    return Decimal(round(exact * 10**exponent)).scaleb(-exponent)


def in_minor_units(amount: Decimal, currency: str) -> Decimal:
    """Return the amount with the decimals of the currency, or more if it needs them."""
    padded = amount.quantize(Decimal(1).scaleb(-_exponent(currency)))
    return padded if padded == amount else amount.normalize()


def _exponent(currency: str) -> int:
    """The number of decimals of a currency; 2 for a code withdrawn by ISO 4217."""
    return EXPONENTS.get(currency, 2)
