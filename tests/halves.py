"""Tests that run in one half of `make test`: twice they would say the same.

A test without a database runs in the half of SQLite, unless it says otherwise.
"""

from collections.abc import Iterable

import pytest
from django.db import connection

on_sqlite = pytest.mark.halves("sqlite")
on_postgresql = pytest.mark.halves("postgresql")
on_both = pytest.mark.halves("sqlite", "postgresql")

# The fixtures that say that a test needs the database of its half. A `service` has
# one of that kind.
_DATABASES = {"db", "transactional_db", "service"}


def leave_to_the_other(tests: Iterable[pytest.Item]) -> None:
    """Skip those of the other half."""
    for test in tests:
        if connection.vendor not in _halves(test):
            test.add_marker(pytest.mark.skip(reason="it runs in the other half"))


def _halves(test: pytest.Item) -> Iterable[str]:
    if mark := test.get_closest_marker("halves"):
        return mark.args
    needs_database = test.get_closest_marker("django_db") is not None or bool(
        _DATABASES.intersection(getattr(test, "fixturenames", ()))
    )
    return (on_both if needs_database else on_sqlite).args
