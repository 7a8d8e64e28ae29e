"""Which events a question is about: a site, days, and who they came from."""

from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple, TypeVar

import msgspec
from django.db.models import Lookup, QuerySet
from django.db.models.fields.related import ForeignKey

from analytics.models import Context, Event, Fact

_Fact = TypeVar("_Fact", bound=Fact)


class Where(NamedTuple):
    """One of the values of a label, or with `negated` none of them."""

    label: str
    values: tuple[str, ...]
    negated: bool = False


class Scope(NamedTuple):
    """`first` and `last` are days in the site's time zone, both included."""

    site_id: int
    first: date
    last: date
    where: tuple[Where, ...] = ()

    def events(self) -> QuerySet[Event]:
        return self.of(Event)

    def named(self, name_ids: Iterable[int]) -> QuerySet[Event]:
        return self.events().filter(name__one_of=name_ids)

    def of(self, facts: type[_Fact]) -> QuerySet[_Fact]:
        found = facts._default_manager.filter(
            site_id=self.site_id, day__range=(self.first, self.last)
        ).order_by()
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

    def get_prep_lookup(self) -> list[int]:
        return list(self.rhs)

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        column, params = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s)", [*params, self.rhs]

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        column, params = self.process_lhs(compiler, connection)
        ids = msgspec.json.encode(self.rhs).decode()
        some = "(SELECT value FROM json_each(%s))"
        return f"{column} IN {some}", [*params, ids]
