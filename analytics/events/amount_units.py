"""How an amount of money is stored: a whole number. Pure."""

from decimal import Decimal

# Amounts are stored as whole ten-thousandths, the finest minor unit of ISO
# 4217: exact on every database (SQLite would keep a decimal as a float).
AMOUNT_SCALE = 10_000
# Keeps any sum of amounts within 64 bits, see `counts.amounts`.
MAX_AMOUNT = Decimal(10) ** 12


def to_amount(revenue: Decimal) -> int:
    """Ten-thousandths, half to even: 0.1 + 0.2 of a page arrives as 0.3."""
    return round(revenue * AMOUNT_SCALE)


def from_amount(amount: int) -> Decimal:
    """The exact value, with as many decimals as it needs and at least two."""
    value = Decimal(amount).scaleb(-4)
    short = value.quantize(Decimal("0.01"))
    return short if short == value else value.normalize()
