"""Which events a question is about: a site, days, and who they came from."""

from collections.abc import Collection, Iterable
from datetime import date
from typing import Any, NamedTuple, TypeVar

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateField, Lookup, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.fields.related import ForeignKey
from django.db.models.sql.compiler import SQLCompiler

from analytics.models import Context, Event, Fact
from analytics.questions.labels import Where
from analytics.questions.periods import Days, each_day

_Fact = TypeVar("_Fact", bound=Fact)

# As many ids as PostgreSQL may look up one by one.
_FEW = 1_000


class Selection(NamedTuple):
    """`first` and `last` are days in the site's time zone, both included."""

    site_id: int
    first: date
    last: date
    where: tuple[Where, ...] = ()

    def events(self) -> QuerySet[Event]:
        return self.of(Event)

    def named(self, name_ids: Iterable[int]) -> QuerySet[Event]:
        return self.events().filter(name__one_of=name_ids)

    def of(
        self, facts: type[_Fact], *, day: Combinable | None = None
    ) -> QuerySet[_Fact]:
        """`day`: an expression in place of all days of the selection."""
        found = facts._default_manager.filter(site_id=self.site_id).order_by()
        if day is None:
            found = found.filter(day__within=Days(self.first, self.last))
        else:
            found = found.filter(day=day)
        if self.where:
            found = found.filter(context__in=self._contexts())
        return found

    def _contexts(self) -> QuerySet[Context]:
        """Labels are looked at in the few distinct contexts, not in events."""
        contexts = Context.objects.filter(site_id=self.site_id)
        for label, values, negated in self.where:
            wanted = {f"{label}__in": values}
            contexts = (
                contexts.exclude(**wanted) if negated else contexts.filter(**wanted)
            )
        return contexts


@ForeignKey.register_lookup
class OneOf(Lookup):
    """`column__one_of=[ids]` with one parameter, however many ids.

    SQLite allows 32,766 parameters a statement; a site may have more names.
    """

    lookup_name = "one_of"
    prepare_rhs = False

    def get_prep_lookup(self) -> Collection[int]:
        return self.rhs if isinstance(self.rhs, Collection) else list(self.rhs)

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        column, params = self.process_lhs(compiler, connection)
        sql, ids = one_of(column, self.rhs)
        return f"({sql})", [*params, ids]


def one_of(column: str, ids: Collection[int]) -> tuple[str, str]:
    """`column` is one of the ids, as SQL; and its one parameter.

    As a text: psycopg takes a microsecond for each number of a list.
    """
    text = ",".join(map(str, ids))
    if connection.vendor == "sqlite":
        sql = f"{column} IN (SELECT value FROM JSON_EACH(%s))"  # noqa: S608 - a column
        return sql, f"[{text}]"
    # Of the column's own type: PostgreSQL hashes no other. It would compare
    # each event with up to all of them.
    sql = f"{column} = ANY(%s::bigint[])"
    if len(ids) > _FEW:
        # Looked up in a hash, without PostgreSQL estimating each of them first,
        # which took half a second for 200,000, or searching an index for each.
        sql = f"CASE WHEN {sql} THEN 1 END = 1"
    return sql, f"{{{text}}}"


@DateField.register_lookup
class Within(Lookup):
    """`column__within=Days`: from the first to the last, both included.

    For PostgreSQL as a list, so that it looks up the names of each day in the
    covering index. Before version 18 it cannot skip there: for a range it would
    read all names of all the days, or the table from end to end.
    """

    lookup_name = "within"
    prepare_rhs = False

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, list[Any]]:
        column, params = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s)", [*params, list(each_day(self.rhs))]

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, list[Any]]:
        column, params = self.process_lhs(compiler, connection)
        ends = [day.isoformat() for day in self.rhs]
        return f"{column} BETWEEN %s AND %s", [*params, *ends]
