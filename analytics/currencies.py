"""The currencies an amount can be in: active ISO 4217 codes. Pure."""

from iso4217 import Currency

# Metals, funds' units and test codes have no minor unit, so no amounts.
EXPONENTS: dict[str, int] = {
    currency.code: currency.exponent
    for currency in Currency
    if currency.exponent is not None
}
