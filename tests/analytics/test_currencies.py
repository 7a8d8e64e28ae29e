"""Which currencies an amount may be in, and on which days."""

from datetime import date

import pytest

from analytics.currencies import EXPONENTS, is_currency


@pytest.mark.parametrize(
    ("code", "day", "known"),
    [
        ("EUR", date(2026, 2, 18), True),
        ("HRK", date(2023, 1, 31), True),
        ("HRK", date(2023, 2, 1), False),
        ("BGN", date(2025, 12, 31), True),
        ("BGN", date(2026, 1, 31), True),
        ("BGN", date(2026, 2, 1), False),
        ("DEM", date(2001, 5, 1), True),
        ("DEM", date(2002, 4, 1), False),
        ("XXX", date(2026, 2, 18), False),
        ("XAU", date(2026, 2, 18), False),
        ("hrk", date(2020, 1, 1), False),
    ],
)
def test_currency_is_one_as_long_as_it_was_money(code, day, known):
    assert is_currency(code, day) == known


def test_goals_take_only_what_is_money_today():
    assert "BGN" not in EXPONENTS
    assert EXPONENTS["JPY"] == 0
    assert EXPONENTS["KWD"] == 3
