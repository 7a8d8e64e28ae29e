"""The tables of facts in partitions by site, to check every statement.

`pytest --partitioned` rebuilds the tables of facts as PARTITION BY HASH (site_id),
with the keys, checks and indexes of the migrations. PostgreSQL refuses a unique key
without the site there. Each statement of the product that names facts is explained:
its plan must use one partition at most, and no table of configuration. Such a
statement can be sent to the one machine of a distributed PostgreSQL that has the site.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from django.apps import apps
from django.db import connection
from django.db.backends.signals import connection_created

from analytics import distribution

ROOT = Path(__file__).parents[1]
PRODUCT = tuple(f"{ROOT / package}/" for package in ("analytics", "goals", "krafter"))
TESTS = f"{ROOT / 'tests'}/"
PARTITIONS = 3

# Statements that may use several partitions, by a part of their text, and why.
EXCEPTIONS = {
    'ORDER BY "analytics_dropcount"."day" DESC, "analytics_dropcount"."site_id"': (
        "The admin shows operators the newest drops of all sites. Customers do not"
        " see this list. It fails while a machine is down."
    ),
}


def rebuild() -> None:
    """Make the empty tables of facts partitioned ones."""
    with connection.cursor() as cursor:
        for table in distribution.tables():
            _rebuild(cursor, table)


def _rebuild(cursor: Any, table: str) -> None:
    cursor.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = %s::regclass AND contype IN ('p', 'u')",
        [table],
    )
    keys = cursor.fetchall()
    cursor.execute(
        "SELECT pg_get_indexdef(indexrelid) FROM pg_index"
        " WHERE indrelid = %s::regclass AND indexrelid NOT IN"
        " (SELECT conindid FROM pg_constraint WHERE conrelid = indrelid)",
        [table],
    )
    indexes = [definition for (definition,) in cursor.fetchall()]
    cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")
    assert cursor.fetchone() == (False,), f"{table} is not empty"
    cursor.execute(f"ALTER TABLE {table} RENAME TO {table}_whole")
    # Before 17 a partitioned table has no identity column, but any default.
    cursor.execute(
        f"CREATE TABLE {table} (LIKE {table}_whole"
        " INCLUDING ALL EXCLUDING IDENTITY EXCLUDING INDEXES)"
        " PARTITION BY HASH (site_id)"
    )
    cursor.execute(f"DROP TABLE {table}_whole")
    cursor.execute(f"CREATE SEQUENCE {table}_id_seq OWNED BY {table}.id")
    cursor.execute(
        f"ALTER TABLE {table} ALTER id SET DEFAULT nextval('{table}_id_seq')"
    )
    for number in range(PARTITIONS):
        cursor.execute(
            f"CREATE TABLE {table}_p{number} PARTITION OF {table}"
            f" FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {number})"
        )
    for name, definition in keys:
        cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
    for definition in indexes:
        cursor.execute(definition)


def distribute() -> None:
    """Distribute the empty tables of facts on a Citus of one machine."""
    host, port = connection.settings_dict["HOST"], connection.settings_dict["PORT"]
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS citus")
        cursor.execute("SELECT citus_set_coordinator_host(%s, %s)", [host, port])
        cursor.execute(
            "SELECT citus_set_node_property(%s, %s, 'shouldhaveshards', true)",
            [host, port],
        )
    assert distribution.distribute(shards=4) == distribution.tables()


class Watch:
    """Explains what the product sends; `found`: the statements that break the rule."""

    def __init__(self, is_products: Callable[[FrameType], bool] | None = None) -> None:
        self._is_products = is_products or _is_products
        self.found: list[str] = []
        self.explained: set[str] = set()
        self.excepted: set[str] = set()
        facts = set(distribution.tables())
        # Tables of Django's own and of many-to-many relations too.
        self._others = {
            model._meta.db_table for model in apps.get_models(include_auto_created=True)
        } - facts
        self._facts = re.compile(rf"\b({'|'.join(sorted(facts))})\b")

    def start(self) -> None:
        """Watch this thread's connection and every later one."""
        connection.execute_wrappers.append(self)
        connection_created.connect(self._watch, weak=False)

    def _watch(self, connection: Any, **_: Any) -> None:
        if self not in connection.execute_wrappers:
            connection.execute_wrappers.append(self)

    def __call__(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,
        context: Any,
    ) -> Any:
        result = execute(sql, params, many, context)
        if (
            sql not in self.explained
            and self._facts.search(sql)
            and _STATEMENT.match(sql)
            and self._is_products(sys._getframe(1))
        ):
            self.explained.add(sql)
            first = next(iter(params), None) if many else params
            self._check(sql, explain(context["connection"].connection, sql, first))
        return result

    def _check(self, sql: str, plan: Any) -> None:
        if excepted := {part for part in EXCEPTIONS if part in sql}:
            self.excepted |= excepted
            return
        names = set(relations(plan))
        numbers = {
            name.rpartition("_p")[2] for name in names if _PARTITION.search(name)
        }
        if len(numbers) > 1:
            self.found.append(f"needs partitions {sorted(numbers)}: {sql}")
        if others := names & self._others:
            self.found.append(f"needs {sorted(others)} beside facts: {sql}")


_PARTITION = re.compile(r"_p\d+$")
_STATEMENT = re.compile(r"\s*\(?\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b", re.I)


def explain(raw: Any, sql: str, params: Any) -> Any:
    """The plan of a statement, as PostgreSQL makes it for these values."""
    with raw.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON, COSTS OFF) {sql}", params)
        (plan,) = cursor.fetchone()
    return plan if isinstance(plan, list) else json.loads(plan)


def relations(plan: Any) -> Iterator[str]:
    """Every table that a plan scans or changes."""
    if isinstance(plan, list):
        for part in plan:
            yield from relations(part)
    elif isinstance(plan, dict):
        if "Relation Name" in plan:
            yield plan["Relation Name"]
        for part in plan.values():
            yield from relations(part)


def _is_products(frame: FrameType | None) -> bool:
    """Whether code of the product sends the statement, not a test itself."""
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(PRODUCT):
            return True
        if path.startswith(TESTS) and path != __file__:
            return False
        frame = frame.f_back
    return False
