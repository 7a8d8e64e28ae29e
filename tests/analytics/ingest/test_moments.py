"""Moments as they are sent. No database."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.ingest import moments


@pytest.mark.parametrize(
    ("number", "a_second", "expected"),
    [
        ("1767225599.9999999", 1, "2025-12-31T23:59:59.999999+00:00"),
        ("1767225599" + "." + "9" * 60, 1, "2025-12-31T23:59:59.999999+00:00"),
        ("1767225599999.9999", 1_000, "2025-12-31T23:59:59.999999+00:00"),
        ("1767225599999999999", 10**9, "2025-12-31T23:59:59.999999+00:00"),
        ("-0.5", 1, "1969-12-31T23:59:59.500000+00:00"),
        ("0", 1, "1970-01-01T00:00:00+00:00"),
    ],
)
def test_counted(number, a_second, expected):
    assert moments.counted(Decimal(number), a_second) == datetime.fromisoformat(
        expected
    )


@pytest.mark.parametrize("number", ["1e12", "-1e12", "1e400000", "NaN", "Infinity"])
def test_end_of_the_calendar(number):
    assert moments.counted(Decimal(number), 1) is None


@given(st.text())
def test_any_text_is_a_moment_or_none(text):
    assert moments.parse(text) is None or text[:4].isdigit()
