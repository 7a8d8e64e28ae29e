"""The events of a query: a site, days, and filters by source."""

from collections.abc import Collection, Iterable
from datetime import date, timedelta
from typing import NamedTuple, TypeVar

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from analytics.events.attribution import Attributed
from analytics.events.contexts import Contexts
from analytics.events.lookups import OneOf
from analytics.events.spans import Span
from analytics.models import Event, Fact, Site
from analytics.questions.labels import EVERYTHING, Filters
from analytics.questions.periods import Days
from analytics.sources import Rules, rules_of

_Fact = TypeVar("_Fact", bound=Fact)


class Selection(NamedTuple):
    """`first` and `last` are days in the site's time zone, both included.

    `names`: the names of the query, None for all. With names, arrivals of other
    visitors are not needed.
    """

    site_id: int
    first: date
    last: date
    filters: Filters = EVERYTHING
    names: Collection[int] | None = None
    # The site's source settings; None: read them when needed.
    sources: Rules | None = None

    @property
    def days(self) -> Days:
        return Days(self.first, self.last)

    @property
    def is_whole(self) -> bool:
        """Whether its last day does not end early."""
        return self.filters.until is None

    def parts(self) -> "list[Selection]":
        """Split off a last day that ends early, since only whole days may be stored.

        The counts of both parts add up.
        """
        if self.is_whole:
            return [self]
        whole = self._replace(
            last=self.last - timedelta(1), filters=self.filters.of_whole_days
        )
        last = self._replace(first=self.last)
        return [whole, last] if self.first < self.last else [last]

    def about(self, name_ids: Iterable[int]) -> "Selection":
        return self._replace(names=list(name_ids))

    def events(self) -> QuerySet[Event]:
        return self.of(Event)

    def named(self, name_ids: Iterable[int]) -> QuerySet[Event]:
        about = self.about(name_ids)
        return about.events().filter(OneOf("name", about.names or ()))

    def of(self, facts: type[_Fact], *, day: RawSQL | None = None) -> QuerySet[_Fact]:
        """`day`: an expression in place of all days of the selection."""
        found = facts._default_manager.filter(site_id=self.site_id).order_by()
        if day is None:
            found = found.filter(day__within=self.days)
        else:
            found = found.filter(day=day)
        if self.filters.until is not None:
            found = found.filter(at__lt=self.filters.until)
        if self.filters.where:
            found = found.filter(pk__in=self._passing(facts, is_each=day is not None))
        return found

    def within(self, days: Days) -> "Selection":
        return self._replace(first=days.first, last=days.last)

    def rules(self) -> Rules:
        """The site's source settings."""
        return self.sources or rules_of(Site.objects.get(pk=self.site_id))

    def attributed(self) -> Attributed:
        contexts = Contexts(self.site_id, self.rules())
        return Attributed(self.site_id, self.filters, contexts)

    def _passing(self, facts: type[Fact], *, is_each: bool) -> RawSQL:
        sql, params = self.attributed().select(
            facts,
            Span(self.days, is_each),
            columns=(),
            carried=("id",),
            name_ids=self.names,
        )
        return RawSQL(sql, params)  # noqa: S611 - constants
