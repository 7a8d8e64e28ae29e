"""What amounts are worth in a goal's currency. Pure; exact numbers only.

Amounts come summed by day and currency. Each sum is converted by itself and
rounded once, half to even, to the minor unit of the goal's currency; an amount
in that currency is never rounded.
"""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction

from analytics.currencies import EXPONENTS

Sums = Mapping[tuple[date, str | None], Decimal]
# What one euro was worth on a day in a currency; None where nobody knows.
PerEuro = Callable[[date, str], Decimal | None]


def total(sums: Sums, currency: str, per_euro: PerEuro) -> Decimal:
    """Revenue in `currency` out of sums by day and currency.

    An amount without a code counts in the goal's currency. One that cannot be
    converted is left out: never taken 1:1.
    """
    worth = (
        convert(amount, day, code, currency, per_euro)
        for (day, code), amount in sums.items()
    )
    return in_minor_units(sum(filter(None, worth), Decimal()), currency)


def convert(
    amount: Decimal, day: date, code: str | None, currency: str, per_euro: PerEuro
) -> Decimal | None:
    """What a day's amount is worth in `currency`; None without a rate."""
    if code is None or code == currency:
        return amount
    had, wanted = per_euro(day, code), per_euro(day, currency)
    if had is None or wanted is None:
        return None
    exponent = _exponent(currency)
    # A fraction, since a quotient of decimals would already be rounded once.
    exact = Fraction(amount) * Fraction(wanted) / Fraction(had)
    return Decimal(round(exact * 10**exponent)).scaleb(-exponent)


def in_minor_units(amount: Decimal, currency: str) -> Decimal:
    """With the currency's decimals, or more where the exact value needs them."""
    padded = amount.quantize(Decimal(1).scaleb(-_exponent(currency)))
    return padded if padded == amount else amount.normalize()


def _exponent(currency: str) -> int:
    """The currency's decimals; two for a code that ISO 4217 has dropped since."""
    return EXPONENTS.get(currency, 2)
