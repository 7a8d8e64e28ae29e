"""The names that a site has sent, and the goals that count them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, Literal
from uuid import UUID

import msgspec

from analytics import events
from analytics.models import Site
from analytics.questions.period_query import DaysAnswer
from analytics.questions.periods import Days, each_day
from analytics.questions.time_limits import in_time
from analytics.traffic import name_days
from analytics.traffic.sent_props import PropAnswer, sent_props
from goals.counting.matched_names import Names, matching_names_of_each
from goals.matching import Rule

# Limits of the properties of one name.
_KEYS = 20
_NO_COUNTS = events.Counts(0, 0)


class CountingGoal(msgspec.Struct):
    id: UUID
    name: str


class NameAnswer(msgspec.Struct):
    """A name that the site has sent. `events` and `visitors` count the period. A
    visitor is counted once per day.

    `first_seen` and `last_seen` cover the whole history, not only the period.
    """

    id: UUID
    type: Literal["pageview", "event", "goal"]
    name: str
    events: int
    visitors: int
    first_seen: date
    last_seen: date
    goals: list[CountingGoal]


class NameDayAnswer(msgspec.Struct):
    day: date = msgspec.field(name="date")
    events: int
    visitors: int


class NameProps(msgspec.Struct):
    """The properties of a name's events. `looked_at` is the number of events that were
    examined, newest first.
    """

    looked_at: int
    is_complete: bool
    props: list[PropAnswer]
    total_keys: int


class NameStats(msgspec.Struct):
    period: DaysAnswer
    name: NameAnswer
    timeseries: list[NameDayAnswer]
    properties: NameProps


class Counting:
    """The goals of a site by the names that they count."""

    def __init__(self, site: Site) -> None:
        self._goals = list(site.goals.undeleted())
        rules = {goal.rule for goal in self._goals}
        self._names: Mapping[Rule, Names] = matching_names_of_each(site.pk, rules)

    def goals(self, name_id: int) -> list[CountingGoal]:
        return [
            CountingGoal(goal.id, goal.name)
            for goal in self._goals
            if name_id in self._names[goal.rule]
        ]

    def all_names(self) -> set[int]:
        """Return the ids of the names that any goal counts."""
        return set().union(*self._names.values())


def names_sent(
    site: Site, days: Days, asked: Mapping[str, Any], *, limit: int
) -> list[events.SentName]:
    """Return the first names for a query, up to a limit."""
    without: Collection[int] = ()
    if asked.get("unmatched") == "true":
        without = Counting(site).all_names()
    kept = name_days.names_of(events.Selection(site.pk, *days))
    with in_time():
        return events.names_sent(
            site.pk,
            days,
            **kept._asdict(),
            type=asked.get("type"),
            search=asked.get("search"),
            without=without,
            order=asked["sort"],
            after=asked.get("cursor"),
            limit=limit,
        )


def shown(site: Site, names: Sequence[events.SentName]) -> list[NameAnswer]:
    counting = Counting(site)
    with in_time():
        seen = events.seen(site.pk, [name.pk for name in names])
    return [
        NameAnswer(
            UUID(bytes=name.digest),
            name.type,  # type: ignore[arg-type] # a check of the table says so
            name.name,
            name.events,
            name.visitors,
            *seen[name.pk],
            goals=counting.goals(name.pk),
        )
        for name in names
        # The events of this name were erased meanwhile.
        if name.pk in seen
    ]


def name_stats(site: Site, id: UUID, days: Days) -> NameStats | None:
    """Return the daily counts of one name; None if no event ever had it."""
    found = events.name_of_digest(site.pk, id.bytes)
    if found is None:
        return None
    name_id, type, name = found
    with in_time():
        by_day = events.name_daily(site.pk, name_id, days)
    answer = shown(
        site,
        [
            events.SentName(
                name_id,
                id.bytes,
                type,
                name,
                sum(counts.conversions for counts in by_day.values()),
                sum(counts.uniques for counts in by_day.values()),
            )
        ],
    )
    if not answer:
        return None
    props = sent_props(site.pk, days, name_id=name_id, keys=_KEYS)
    return NameStats(
        DaysAnswer(*days),
        answer[0],
        [NameDayAnswer(day, *by_day.get(day, _NO_COUNTS)) for day in each_day(days)],
        NameProps(
            props.looked_at,
            # No properties are stored for sealed days.
            props.is_complete and days.first >= (site.sealed_before or days.first),
            props.props,
            props.total_keys,
        ),
    )
