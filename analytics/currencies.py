"""The currencies an amount can be in: ISO 4217 codes, and until when. Pure."""

from datetime import date

from iso_4217 import Currency

# Metals, funds' units and test codes have no minor unit, so no amounts.
EXPONENTS: dict[str, int] = {
    currency.name: currency.subunit_exp
    for currency in Currency
    if currency.entities and currency.subunit_exp is not None
}

# In the OpenAPI document codes are texts, not a list: a client that was made before
# a code came would not read an answer with it.
CODE = "^[A-Z]{3}$"


def _end(currency: Currency) -> tuple[int, int]:
    """The month in which a currency was withdrawn; December of a bare year."""
    end = currency.withdrew_entities[-1].time.end
    return end.year, end.month or 12


# The list of historic currencies gives months, and money was changed and spent
# in both currencies for some weeks: the whole month still counts.
_WITHDRAWN: dict[str, tuple[int, int]] = {
    currency.name: _end(currency)
    for currency in Currency
    if not currency.entities and not currency.is_fund
}


def is_currency(code: str, day: date) -> bool:
    """Whether something could cost an amount in this currency on that day."""
    if code in EXPONENTS:
        return True
    return (day.year, day.month) <= _WITHDRAWN.get(code, (0, 0))
