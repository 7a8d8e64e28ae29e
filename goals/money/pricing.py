"""The revenue of the parts of a report, with the exchange rates read once."""

from collections.abc import Callable
from decimal import Decimal

from goals.money import conversion, rates


def pricer(
    sums: conversion.Sums, currency: str | None
) -> Callable[[conversion.Sums], Decimal | None]:
    """Return a function from some of these sums to their revenue in `currency`.

    The revenue is None without a currency.
    """
    if currency is None:
        return lambda part: None
    per_euro = rates.needed(sums, currency).per_euro
    return lambda part: conversion.total(part, currency, per_euro)
