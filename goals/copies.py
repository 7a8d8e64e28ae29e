"""Goals and exchange rates in copies of a team: see `analytics.lifecycle.parts`."""

from collections.abc import Collection, Iterator
from datetime import date
from uuid import UUID, uuid5

from analytics import events
from analytics.lifecycle import parts
from analytics.lifecycle.parts import Values
from analytics.models import Site
from goals.matching import Rule, exact_names
from goals.models import Annotation, ExchangeRate, Goal, RuleNames, SavedFunnel
from goals.money.rates import OLDEST
from goals.serializers import GoalSerializer
from krafter import names


def register() -> None:
    parts.of_sites.append(parts.SitePart("goal", dump_goals, load_goals))
    parts.of_sites.append(
        parts.SitePart("annotation", dump_annotations, load_annotations)
    )
    parts.of_sites.append(parts.SitePart("funnel", dump_funnels, load_funnels))
    parts.common.append(parts.CommonPart("rate", dump_rates, load_rates))
    parts.local.add(RuleNames)


def dump_goals(site: Site) -> Iterator[Values]:
    """Yield all goals in their order, including deleted ones."""
    for goal in site.goals.order_by("created_at", "id").iterator(chunk_size=500):
        yield {"id": str(goal.pk), **parts.values_of(goal, without=["site_id"])}


def load_goals(site: Site, values: list[Values]) -> None:
    goals = [_goal(site, value) for value in values]
    of_others = Goal.objects.exclude(site=site).filter(pk__in=[g.pk for g in goals])
    known = set(of_others.values_list("pk", flat=True))
    for goal in goals:
        if goal.pk in known:
            # The exporting team is in this installation, too. Its id is derived, so
            # that repeated lines add nothing.
            goal.pk = uuid5(site.uuid, str(goal.pk))
    Goal.objects.bulk_create(goals, batch_size=500, ignore_conflicts=True)
    rules = [goal.rule for goal in goals if goal.deleted_at is None]
    events.reserve(site.pk, exact_names(rules))


def _goal(site: Site, value: Values) -> Goal:
    rule = {name: value[name] for name in (*Rule._fields, "currency")}
    GoalSerializer(data=rule, partial=True).is_valid(raise_exception=True)
    goal = Goal(site=site, **parts.from_json(Goal, value))
    goal.name = names.as_name(goal.name)
    return goal


def dump_annotations(site: Site) -> Iterator[Values]:
    for row in site.annotations.order_by("created_at", "id").iterator(chunk_size=500):
        yield {"id": str(row.pk), **parts.values_of(row, without=["site_id"])}


def load_annotations(site: Site, values: list[Values]) -> None:
    """Store annotations. Nothing refers to their ids, so they get new, reproducible
    ids.
    """
    rows = [Annotation(site=site, **parts.from_json(Annotation, v)) for v in values]
    for row in rows:
        row.pk = uuid5(site.uuid, str(row.pk))
        row.text = names.as_name(row.text)
    Annotation.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)


def dump_funnels(site: Site) -> Iterator[Values]:
    for row in site.funnels.order_by("created_at", "id").iterator(chunk_size=500):
        yield {"id": str(row.pk), **parts.values_of(row, without=["site_id"])}


def load_funnels(site: Site, values: list[Values]) -> None:
    """Store funnels. Call it after `load_goals`, because steps refer to goals by id."""
    goals = {str(pk) for pk in site.goals.values_list("pk", flat=True)}
    rows = [SavedFunnel(site=site, **parts.from_json(SavedFunnel, v)) for v in values]
    for row in rows:
        row.pk = uuid5(site.uuid, str(row.pk))
        row.name = names.as_name(row.name)
        row.steps = [_step(site, step, goals) for step in row.steps]
    SavedFunnel.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)


def _step(site: Site, step: Values, goals: Collection[str]) -> Values:
    """Return a step with the id that `load_goals` gave its goal."""
    if "goal" not in step:
        rule = {name: step[name] for name in Rule._fields}
        GoalSerializer(data=rule, partial=True).is_valid(raise_exception=True)
        return step
    if step["goal"] in goals:
        return step
    return {"goal": str(uuid5(site.uuid, str(UUID(step["goal"]))))}


def dump_rates(first: date) -> Iterator[Values]:
    """Yield the rates that a day from `first` on may need."""
    found = ExchangeRate.objects.filter(day__gte=first - OLDEST)
    for rate in found.order_by("day", "currency").iterator():
        yield parts.values_of(rate)


def load_rates(values: list[Values]) -> None:
    """Add missing rates; existing ones are not changed."""
    ExchangeRate.objects.bulk_create(
        (ExchangeRate(**parts.from_json(ExchangeRate, value)) for value in values),
        ignore_conflicts=True,
    )
