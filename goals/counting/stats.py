"""The conversions of goals, for the stats endpoints."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from decimal import Decimal

from analytics import events
from analytics.events import (
    Counts,
    Filters,
    Selection,
    closed_days,
    seals,
)
from analytics.models import Site
from analytics.questions.labels import EVERYTHING
from analytics.questions.period_query import unanswerable
from analytics.questions.periods import Days
from analytics.questions.time_limits import in_time
from analytics.sources import rules_of
from goals.counting import matched_names, open_days, rule_months
from goals.counting.answers import Counted, GoalCounts
from goals.counting.matched_names import matching_names_of_each
from goals.counting.open_days import OpenDays
from goals.counting.rule_months import ByDay, Course, DayCount, RuleMonths
from goals.matching import Rule
from goals.models import Goal
from goals.money import conversion
from goals.money.pricing import pricer
from krafter import faults, metrics
from krafter.errors import Invalid


class Found(dict[Rule, ByDay]):
    """The counts of each rule by day.

    `since`: the first counted day of the rules that have no counts of some sealed days
    of the period. `courses`: the conversions by day, of rules whose counts are summed
    over days.
    """

    def __init__(
        self,
        counts: Mapping[Rule, ByDay] | tuple[()] = (),
        *,
        since: Mapping[Rule, date] | tuple[()] = (),
    ) -> None:
        super().__init__(counts)
        self.since: dict[Rule, date] = dict(since)
        self.courses: dict[Rule, Course] = {}

    def course(self, rule: Rule) -> Course:
        """The conversions of each day that had any, if they were asked for."""
        return self.courses.get(rule) or _course(self[rule])


def goal_stats(
    goal: Goal,
    days: Days,
    filters: Filters = EVERYTHING,
    *,
    from_border: bool = False,
) -> Counted:
    """The stats of a goal for these days, without `money` and `comparison`.

    See `counted` for `from_border`.
    """
    found = counted(goal.site_id, [goal], days, filters, from_border=from_border)
    return summed(goal, found[goal.rule])


def since(goal: Goal, days: Days, filters: Filters = EVERYTHING) -> date:
    """The first of these days on which the goal has counts: see `counted`."""
    found = counted(goal.site_id, [goal], days, filters, from_border=True)
    return found.since.get(goal.rule, days.first)


def all_goal_stats(
    site: Site,
    days: Days,
    filters: Filters = EVERYTHING,
    *,
    from_border: bool = False,
) -> list[GoalCounts]:
    """Every goal of a site with its stats, in the order of the list.

    The number of queries does not depend on how many goals there are. See
    `counted` for `from_border`.
    """
    goals = list(site.goals.undeleted())
    found = counted(site.pk, goals, days, filters, from_border=from_border)
    return shown(goals, found)


def shown(goals: Collection[Goal], found: Mapping[Rule, ByDay]) -> list[GoalCounts]:
    """Every goal with the sums of the counts from `counted`."""
    amounts = {
        goal.pk: sums(found[goal.rule]) for goal in goals if goal.currency is not None
    }
    # The rates are read once per currency, not per goal.
    everything = {key: Decimal() for part in amounts.values() for key in part}
    revenue = {
        currency: pricer(everything, currency)
        for currency in {goal.currency for goal in goals}
    }
    return [
        GoalCounts(
            goal.id,
            goal.name,
            goal.currency,
            *total(found[goal.rule]),
            revenue[goal.currency](amounts.get(goal.pk, {})),
        )
        for goal in goals
    ]


def counted(
    site_id: int,
    goals: Collection[Goal],
    days: Days,
    filters: Filters = EVERYTHING,
    *,
    daily: bool = False,
    with_courses: bool = False,
    from_border: bool = False,
) -> Found:
    """The counts of each goal's rule by day, including every acknowledged event.

    With `daily` by single days. Without it, the counts of closed days may be summed
    under one of them, as may amounts that need no exchange rate. `Found.course` needs
    `daily` or `with_courses`, which is faster for many rules.

    Raises Invalid for a rule that has no counts of some sealed days; with
    `from_border` such a rule is counted from the first day that has them
    (`Found.since`). Raises Unavailable while the closed days of a new rule take long to
    count; the next try continues.
    """
    rules = _rules(goals)
    if not rules:
        return Found()
    if filters.where:
        site = next(iter(goals)).site
        selection = Selection(site_id, *days, filters, sources=rules_of(site))
        is_sealed = days.first < (site.sealed_before or days.first)
        # Faster for one rule, and the only counts of sealed days.
        if events.is_kept(filters) and (len(rules) == 1 or is_sealed):
            daily = daily or with_courses
            return _by_labels(selection, goals, daily=daily, from_border=from_border)
        return Found(_from_events(selection, goals))
    if filters.until is not None:
        selection = Selection(site_id, *days, filters)
        return _counted_until(
            selection,
            goals,
            daily=daily,
            with_courses=with_courses,
            from_border=from_border,
        )
    closed, current = closed_days.parted(days)
    past = None
    if closed is not None:
        past = RuleMonths(site_id, rules, closed, with_courses=with_courses)
    names = matched_names.remembered(site_id, rules)
    standing = events.standing(
        site_id,
        closed=closed,
        open=current,
        kept=past.statement() if past else None,
        names_after=min(known.seen for known in names.values()) if names else None,
        refunds=bool(_priced(goals)),
    )
    missing = past.read(standing) if past else []
    if closed is not None:
        metrics.count_days(closed.length, len(missing))
    if past and past.since and not from_border:
        raise Invalid({"from": [unanswerable(max(past.since.values()))]})
    today = OpenDays(site_id, rules, standing.ends, standing.versions)
    if names and standing.names is not None:
        matched_names.look_at(site_id, names, standing.names)
    elif missing or today.is_behind or standing.refunds:
        # Read after the ends of the days: the names of those events exist by then.
        names = matching_names_of_each(site_id, rules)
    if past and missing:
        _count_missing(past, missing, budget=closed_days.BUDGET_SECONDS)
    if today.is_behind:
        with in_time():
            today.catch_up(names or {})
    matched = names or {}
    found = Found(since=past.since if past else ())
    for rule in rules:
        found[rule] = today.by_day(rule, standing.refunds, matched.get(rule, ()))
    if past:
        _add_past(found, past, _home(goals), daily=daily, with_courses=with_courses)
    return found


def _add_past(
    found: Found,
    past: RuleMonths,
    home: Mapping[Rule, set[str | None]],
    *,
    daily: bool,
    with_courses: bool,
) -> None:
    """Add the counts of closed days to those of open days."""
    found.courses = past.courses() if with_courses else {}
    for rule, of_open in found.items():
        if rule in found.courses:
            found.courses[rule] |= _course(of_open)
        found[rule] = of_open | (
            past.by_day(rule) if daily else past.by_part(rule, home[rule])
        )


def _rules(goals: Iterable[Goal]) -> list[Rule]:
    """Goals with the same rule are counted once."""
    return list(dict.fromkeys(goal.rule for goal in goals))


def _priced(goals: Iterable[Goal]) -> set[Rule]:
    """The rules whose amounts are queried."""
    return {goal.rule for goal in goals if goal.currency}


def _counted_until(
    selection: Selection,
    goals: Collection[Goal],
    *,
    daily: bool,
    with_courses: bool,
    from_border: bool,
) -> Found:
    """Whole days as usual, and the last day, which ends early, from its events."""
    *whole, last = selection.parts()
    found = Found()
    for part in whole:
        found = counted(
            part.site_id,
            goals,
            part.days,
            part.filters,
            daily=daily,
            with_courses=with_courses,
            from_border=from_border,
        )
    for rule, by_day in _from_events(last, goals).items():
        if rule in found.courses:
            found.courses[rule] |= _course(by_day)
        found[rule] = found.get(rule, {}) | by_day
    return found


def _from_events(selection: Selection, goals: Collection[Goal]) -> dict[Rule, ByDay]:
    with in_time():
        names = matching_names_of_each(selection.site_id, _rules(goals))
        return rule_months.count(selection, names, with_amounts=_priced(goals))


def _by_labels(
    selection: Selection, goals: Collection[Goal], *, daily: bool, from_border: bool
) -> Found:
    """The counts under filters by labels, from the stored counts.

    With `from_border` a new rule is counted from the first day that has counts. Two
    labels together have counts only where they were queried before: without them the
    query is refused.
    """
    found = Found()
    priced, home = _priced(goals), _home(goals)
    for rule in _rules(goals):
        is_priced = rule in priced
        try:
            kept = events.ByLabels(
                selection,
                rule=rule.digest,
                with_amounts=is_priced,
                daily=daily,
                home=home[rule] if is_priced else None,
            )
            if kept.lacks:
                kept.count(matching_names_of_each(selection.site_id, [rule])[rule])
            found[rule] = {
                day: DayCount(Counts(group.times, visitors), group.amounts)
                for day, (group, visitors) in kept.totals().items()
            }
        except events.Unkept as unkept:
            if not from_border:
                raise
            if len({where.label for where in selection.filters.where}) > 1:
                raise Invalid({"period": [unanswerable(unkept.since)]}) from None
            found[rule], found.since[rule] = {}, unkept.since
            if unkept.since <= selection.last:
                rest = selection._replace(first=unkept.since)
                own = [goal for goal in goals if goal.rule == rule]
                found |= _by_labels(rest, own, daily=daily, from_border=False)
    return found


def _home(goals: Iterable[Goal]) -> dict[Rule, set[str | None]]:
    """By rule, the currencies whose amounts are never converted."""
    home: dict[Rule, set[str | None]] = {}
    for goal in goals:
        home.setdefault(goal.rule, set()).add(goal.currency)
    return {
        rule: {None, *currencies} if len(currencies) == 1 else {None}
        for rule, currencies in home.items()
    }


def count_ahead(
    site_id: int,
    rules: Collection[Rule],
    days: Days,
    *,
    budget: float | None = None,
    progress: Callable[[int], object] = lambda counted: None,
) -> None:
    """Compute and store the missing counts of these rules on closed days.

    Raises Unavailable when that takes longer than `budget` seconds; the next try
    continues. `progress` is called with each number of days counted.
    """
    past = RuleMonths(site_id, rules, days)
    standing = events.standing(site_id, closed=days, kept=past.statement())
    if missing := past.read(standing):
        _count_missing(past, missing, budget=budget, progress=progress)


def lacks(site_id: int, rules: Collection[Rule], days: Days) -> bool:
    """Whether one of these rules lacks one of these closed days."""
    past = RuleMonths(site_id, rules, days)
    standing = events.standing(site_id, closed=days, kept=past.statement())
    return bool(past.read(standing))


def _count_missing(
    past: RuleMonths,
    missing: Collection[date],
    *,
    budget: float | None,
    progress: Callable[[int], object] = lambda counted: None,
) -> None:
    with closed_days.in_budget(budget):
        for stretch in closed_days.stretches(missing, budget=budget, progress=progress):
            # Often this is one new goal only.
            lacking = past.lacking(stretch)
            names = matching_names_of_each(past.site_id, lacking, budget=budget)
            selection = Selection(past.site_id, *stretch)
            found = rule_months.count(selection, names, with_amounts=names)
            rows = past.add(stretch, found)
            with faults.unwritten(), seals.keeping(past.site_id) as sealed_before:
                rule_months.keep(rows, sealed_before=sealed_before)


def summed(goal: Goal, found: ByDay) -> Counted:
    amounts = sums(found)
    return Counted(*total(found), pricer(amounts, goal.currency)(amounts))


def _course(found: ByDay) -> Course:
    return {
        day: count.counts.conversions
        for day, count in found.items()
        if count.counts.conversions
    }


def total(found: ByDay) -> Counts:
    counts = [count.counts for count in found.values()]
    return Counts(
        sum(day.conversions for day in counts), sum(day.uniques for day in counts)
    )


def sums(found: ByDay) -> conversion.Sums:
    """The amounts by (day, currency)."""
    return {
        (day, code): amount
        for day, count in found.items()
        for code, amount in count.amounts.items()
    }


def forget() -> None:
    """Clear the memory of this process, after a database was emptied or restored."""
    open_days.forget()
    matched_names.forget()
