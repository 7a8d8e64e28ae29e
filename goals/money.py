"""What amounts are worth in a goal's currency. Pure; exact decimals only."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from analytics.currencies import EXPONENTS


def total(sums: Mapping[tuple[date, str | None], Decimal], currency: str) -> Decimal:
    """Revenue in `currency` out of sums by day and currency.

    An amount without a code counts in the goal's currency. One in another
    currency is left out: never taken 1:1.
    """
    own = (amount for (_, code), amount in sums.items() if code in (None, currency))
    return in_minor_units(sum(own, Decimal()), currency)


def in_minor_units(amount: Decimal, currency: str) -> Decimal:
    """With the currency's decimals, or more where the exact value needs them."""
    padded = amount.quantize(Decimal(1).scaleb(-EXPONENTS[currency]))
    return padded if padded == amount else amount.normalize()
