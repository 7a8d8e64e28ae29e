"""What a test counts as a query: a statement that reads or writes rows.

The statements around them are left out: they differ between the databases, and
within a test's transaction they differ from those of a running service.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.test.utils import CaptureQueriesContext

# DECLARE begins the SELECT of a server-side cursor, on PostgreSQL.
OF_ROWS = {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "COPY", "DECLARE"}
OTHERS = {
    # Limits of time, on PostgreSQL only.
    "SET",
    # Samples of tables, after many events were stored.
    "ANALYZE",
    # Transactions: savepoints in a test that has one of its own.
    *("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"),
}


@contextmanager
def captured_queries() -> Iterator[list[str]]:
    """Yield a list that holds the queries sent inside, once it is left."""
    found: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield found
    found += [sql for query in captured if is_of_rows(sql := query["sql"])]


def is_of_rows(sql: str) -> bool:
    """Whether it counts. Raises AssertionError for a statement of an unknown kind."""
    # Django puts "2 times:" before what it sends with several rows of parameters.
    kind = re.sub(r"^(\d+ times: )?[\s(]*", "", sql).partition(" ")[0].upper()
    assert kind in OF_ROWS | OTHERS, f"add it to tests/queries.py: {sql}"
    return kind in OF_ROWS


@contextmanager
def assert_queries(number: int) -> Iterator[None]:
    """Raise AssertionError unless so many queries are sent inside."""
    with captured_queries() as found:
        yield
    assert len(found) == number, "\n".join(found)
