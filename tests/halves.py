"""Tests that run in one half of `make test`: twice they would say the same."""

import pytest
from django.db import connection

# Whatever the database is, such a test makes its own, or needs none.
on_sqlite = pytest.mark.skipif(
    connection.vendor != "sqlite", reason="it runs in the half of SQLite"
)
on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="it runs in the half of PostgreSQL"
)
