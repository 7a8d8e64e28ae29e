"""The counts of days by the values of labels, stored or still to be computed.

Stored counts of closed days (`label_months`) and remembered counts of open days
(`open_labels`) answer without reading events. A last day that ends early
(`Filters.until`) is counted from its events.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import date
from functools import partial
from typing import NamedTuple

from analytics.events import closed_days, closed_sums, label_months, seals
from analytics.events.attribution import Attributed
from analytics.events.cells import (
    ByDay,
    DayParts,
    Group,
    changes,
    daily,
    flattened,
    narrowed,
    plus,
)
from analytics.events.closed_days import Parted
from analytics.events.closed_sums import ClosedDays, State
from analytics.events.contexts import Contexts
from analytics.events.joint_labels import joint, passer, shower
from analytics.events.label_months import EVERYTHING, Kept, LabelMonths
from analytics.events.open_labels import OpenLabels
from analytics.events.selection import Selection
from analytics.events.standing import Standing, standing
from analytics.models import Adjustment, Event, Fact
from analytics.questions.labels import Filters
from analytics.questions.periods import Days
from analytics.questions.time_limits import in_time
from krafter import faults, metrics


def is_kept(filters: Filters, labels: Collection[str] = ()) -> bool:
    """Whether counts of closed days are stored by these labels under the filters."""
    filtered = {where.label for where in filters.where}
    each = [{*filtered, label} for label in labels] or [filtered]
    return all(joint(names) is not None for names in each)


def are_kept(filters: Filters) -> bool:
    """Whether sealed days can be queried under the filters, from stored counts."""
    return not filters.where or is_kept(filters)


def _parted(selection: Selection) -> Parted:
    whole = [part.days for part in selection.parts() if part.is_whole]
    return closed_days.parted(whole[0]) if whole else Parted(None, None)


class Known(NamedTuple):
    """Days and their state, read for another part of an answer; None: to be read."""

    parted: Parted
    standing: Standing | None


class ByLabels:
    """The counts of each day of a selection by some labels, under filters by labels.

    Labels and filters must be stored ones (`is_kept`). Raises Unkept if some sealed
    days lack them. `rule`: the digest of a rule. `with_amounts`: sum the amounts of
    events and refunds. For `daily` and `home` see `LabelMonths`. `beside`: counts of
    the same days, whose state is read once for both. `known`: the same of other counts.
    `names_after`: see `standing`.
    """

    def __init__(
        self,
        selection: Selection,
        labels: Iterable[str] = (),
        *,
        rule: bytes = EVERYTHING,
        with_amounts: bool = False,
        daily: bool = False,
        home: Collection[str | None] | None = None,
        beside: "ByLabels | None" = None,
        known: Known | None = None,
        names_after: int | None = None,
    ) -> None:
        self._where = selection.filters.where
        self._home = home
        filtered = [where.label for where in self._where]
        # The stored label, single or joint, for each label that is queried.
        self._kept_as = {
            label: joint([*filtered, label]) or label for label in labels
        } or {"": joint(filtered) or ""}
        filters = selection.filters._replace(where=())
        sources = selection.rules()
        self._selection = selection._replace(filters=filters, sources=sources)
        kept = Kept(selection.site_id, rule, filters.attribution, sources.digest)
        names = list(dict.fromkeys(self._kept_as.values()))
        if beside:
            known = Known(beside._parted, beside._standing)
        self._parted: Parted = known.parted if known else _parted(self._selection)
        closed, current = self._parted
        self._past = (
            LabelMonths(kept, names, closed, daily=daily, home=home) if closed else None
        )
        # No sums are cached for requests of single days.
        self._keys = {
            label: (kept, label, self._where, closed, home and frozenset(home))
            for label in self._kept_as
            if closed and not daily
        }
        sums = closed_sums.recall(self._keys)
        is_remembered = bool(sums) and all(each.is_set for each in sums.values())
        past = self._past
        read = partial(
            standing,
            selection.site_id,
            closed=closed,
            open=current,
            names_after=names_after,
        )
        if past and not is_remembered:
            found = read(kept=past.statement())
        else:
            found = (known and known.standing) or read()
        # Kept here, because another thread may set sums of another state.
        self._closed = closed_sums.valid(sums, State.of(found))
        if past and is_remembered and not self._closed:
            # A day has changed since.
            found = read(kept=past.statement())
        self.names = found.names
        self._state = State.of(found)
        # None after counting missing days, since the state may have changed meanwhile.
        self._standing: Standing | None = found
        # Contexts must be read after the state.
        is_shared = beside is not None and found is beside._standing
        self._contexts: Contexts | None = (
            beside._contexts if beside and is_shared else None
        )
        if past and closed:
            past.sealed_before = found.sealed_before
            if not self._closed:
                past.read(found)
            metrics.count_days(closed.length, len(past.missing))
        self._open = OpenLabels(kept, names, found.ends, found.versions)
        # Counts that are not stored: refunds, and events of a day that ends early.
        self._more: list[dict[str, ByDay]] = []
        if with_amounts and self._past:
            self._more.append({name: self._past.refunds(name) for name in names})
        self._has_refunds = with_amounts and self._were_refunded()

    def _were_refunded(self) -> bool:
        days = self._unsealed
        found = Adjustment.objects.filter(site_id=self._selection.site_id)
        return found.filter(day__range=(days.first, days.last)).exists()

    @property
    def _unsealed(self) -> Days:
        """The days whose refunds are counted; those of sealed days are stored."""
        first, last = self._selection.days
        before = self._past.sealed_before if self._past else first
        return Days(max(first, before), last)

    @property
    def lacks(self) -> bool:
        """Whether `count` must be called."""
        has_more = self._has_refunds or not self._selection.is_whole
        lacks_closed = bool(self._past and self._past.missing)
        return lacks_closed or has_more or bool(self._open.behind())

    def count(
        self,
        names: Collection[int] | None = None,
        *,
        budget: float | None = closed_days.BUDGET_SECONDS,
        progress: Callable[[int], object] = lambda counted: None,
    ) -> None:
        """Compute the missing counts. `names`: ids of the names that the rule matches.

        Raises Unavailable if closed days take longer than `budget` seconds; the counts
        computed by then are stored, and the next try continues.
        """
        about = self._selection._replace(names=names)
        contexts = self._contexts or Contexts(about.site_id, about.rules())
        self._contexts = contexts
        attributed = Attributed(about.site_id, about.filters.of_whole_days, contexts)
        if self._past and (missing := self._past.missing):
            self._standing = None
            try:
                with closed_days.in_budget(budget):
                    for stretch in closed_days.stretches(
                        missing, budget=budget, progress=progress
                    ):
                        labels = self._past.lacking(stretch)
                        part = about.within(stretch)
                        found = daily(part, labels, [Event], attributed)
                        self._past.add(stretch, found)
            finally:
                # Once: a month with many values takes long to store, for each of its
                # days as long as for all of them.
                rows = self._past.changed()
                with faults.unwritten(), seals.keeping(about.site_id) as sealed:
                    label_months.keep(rows, sealed_before=sealed)
        with in_time():
            for labels, changed in self._open.behind():
                day = about.within(Days(changed.day, changed.day))
                found, before = changes(day, labels, attributed, changed)
                self._open.add(changed.day, found, before)
            for part in about.within(self._unsealed).parts():
                facts: list[type[Fact]] = [] if part.is_whole else [Event]
                if self._has_refunds:
                    facts.append(Adjustment)
                if facts:
                    of_part = Attributed(part.site_id, part.filters, contexts)
                    labels = list(self._kept_as.values())
                    self._more.append(daily(part, labels, facts, of_part))

    def by_day(self, label: str = "") -> ByDay:
        """The counts of each day by the values of a label. Call it after `count`.

        If no label was given, the label is `""`, with one value `""` for all events
        that pass. Without `daily`, all counts of closed days may be under the first of
        them, see `flattened`.
        """
        found = dict(self.closed(label).days)
        for day, parts in self.unclosed(label).items():
            found[day] = plus(found[day], parts) if day in found else parts
        return found

    def closed(self, label: str = "") -> ClosedDays:
        """The part of `by_day` for closed days, without their unstored counts."""
        if label not in self._closed and self._past:
            days = self._shown(label, self._past.by_day(self._kept_as[label]))
            key = self._keys.get(label)
            found = ClosedDays(flattened(days, self._home) if key else days)
            if key:
                closed_sums.remember(key, self._state, found)
            self._closed[label] = found
        return self._closed.get(label, ClosedDays({}))

    def unclosed(self, label: str = "") -> ByDay:
        """The rest of `by_day`."""
        kept = self._kept_as[label]
        found = self._open.by_day(kept)
        for more in self._more:
            for day, parts in more.get(kept, {}).items():
                found[day] = plus(found.get(day, DayParts({}, {})), parts)
        return self._shown(label, found)

    def _shown(self, label: str, days: ByDay) -> ByDay:
        """The counts that pass the filters, by the values of the label."""
        if not self._where:
            return days
        kept = self._kept_as[label]
        passes = passer(kept, self._where)
        shown = shower(kept, label) if label else lambda value: ""
        return {day: narrowed(parts, passes, shown) for day, parts in days.items()}

    def totals(self) -> dict[date, tuple[Group, int]]:
        """The counts and visitors of everything that passes, by day like `by_day`."""
        return {
            day: (parts.groups.get("", Group()), sum(parts.visitors.values()))
            for day, parts in self.by_day().items()
        }
