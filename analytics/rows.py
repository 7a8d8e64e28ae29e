"""Rows of models, read with constant SQL statements.

Used for rows that every request reads, because Django takes longer to build the query
than the database to run it.
"""

from functools import cache
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model
from django.db.models.expressions import Col

_Row = TypeVar("_Row", bound=Model)


class Columns(Generic[_Row]):
    """The columns of a model, to select them and to build instances from rows."""

    def __init__(self, model: type[_Row]) -> None:
        self._model = model
        self._fields = model._meta.concrete_fields
        self._names = [field.attname for field in self._fields]
        self._converters = []
        for position, field in enumerate(self._fields):
            column = Col(model._meta.db_table, field)
            own = connection.ops.get_db_converters(column)
            for convert in [*own, *column.get_db_converters(connection)]:
                self._converters.append((position, column, convert))

    def __len__(self) -> int:
        return len(self._fields)

    def sql(self, alias: str) -> str:
        return ", ".join(f"{alias}.{field.column}" for field in self._fields)

    def instance(self, row: tuple[Any, ...]) -> _Row:
        values = list(row)
        for position, column, convert in self._converters:
            values[position] = convert(values[position], column, connection)
        # The default alias, like all instances, whatever the thread's connection.
        return self._model.from_db(DEFAULT_DB_ALIAS, self._names, values)


@cache
def columns(model: type[_Row]) -> Columns[_Row]:
    return Columns(model)
