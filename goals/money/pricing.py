"""What the parts of an answer are worth, with one look at the exchange rates."""

from collections.abc import Callable
from decimal import Decimal

from goals.money import conversion, rates


def pricer(
    sums: conversion.Sums, currency: str | None
) -> Callable[[conversion.Sums], Decimal | None]:
    """A function from part of these sums to its revenue in that currency.

    None without a currency.
    """
    if currency is None:
        return lambda part: None
    per_euro = rates.needed(sums, currency).per_euro
    return lambda part: conversion.total(part, currency, per_euro)
