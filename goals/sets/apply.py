"""Replace the goals of a site by a list, in one transaction."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from django.db import transaction
from django.utils import timezone
from msgspec import Meta
from rest_framework import serializers

from analytics import events
from analytics.access import audit
from analytics.access.audit import Record
from analytics.models import Site
from goals.kept_past import CONFIRMED, check_kept_past
from goals.matching import Rule, exact_names
from goals.models import MAX_GOALS, Goal
from goals.serializers import GoalSerializer, GoalTypeText, MatchTypeText
from goals.sets.diff import Definition, Plan, plan, repeated
from krafter.errors import Invalid
from krafter.fields import ChoiceField, FlagField, StrictSerializer


class ConfirmQuerySerializer(StrictSerializer):
    confirm = ChoiceField(
        (CONFIRMED,),
        required=False,
        help_text="`sealed`: confirms a change of a rule that has sealed days. The"
        " goal loses its counts of these days.",
    )


class ApplyQuerySerializer(ConfirmQuerySerializer):
    dry_run = ChoiceField(("true", "false"), default="false")


class GoalSetSerializer(StrictSerializer):
    """A list of goals. All other goals are deleted unless `delete_missing` is false."""

    goals: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=GoalSerializer(), max_length=MAX_GOALS
    )
    delete_missing = FlagField(default=True)

    def validate_goals(self, goals: list[dict[str, Any]]) -> list[Definition]:
        names = [goal["name"] for goal in goals]
        if twice := set(repeated(names)):
            raise serializers.ValidationError(
                {
                    str(index): {"name": ["The list has this name more than once."]}
                    for index, name in enumerate(names)
                    if name in twice
                }
            )
        return [Definition(**goal) for goal in goals]


class PlannedGoal(msgspec.Struct):
    id: Annotated[
        UUID | None,
        Meta(description="The id of the goal. Null if it has not been created yet."),
    ]
    name: str
    type: GoalTypeText
    match_type: MatchTypeText
    match_value: str
    currency: str | None


class PlannedChange(msgspec.Struct):
    before: PlannedGoal
    after: PlannedGoal


class PlanAnswer(msgspec.Struct):
    create: list[PlannedGoal]
    change: list[PlannedChange]
    delete: list[PlannedGoal]
    keep: list[PlannedGoal]


def definitions(site: Site, *, lock: bool = False) -> dict[Goal, Definition]:
    """Return the goals of a site. Raises Invalid if two have the same name."""
    goals = site.goals.undeleted()
    if lock:
        goals = goals.select_for_update()
    found = {
        goal: Definition(*(getattr(goal, field) for field in Definition._fields))
        for goal in goals
    }
    if twice := repeated(goal.name for goal in found):
        message = (
            "Goals are identified by name here, but the site has several goals named"
            f" {', '.join(map(repr, twice))}. Rename or delete all but one first."
        )
        raise Invalid({"goals": [message]})
    return found


def apply(
    site: Site,
    wanted: Sequence[Definition],
    *,
    delete_missing: bool = True,
    dry_run: bool = False,
    is_confirmed: bool = False,
) -> PlanAnswer:
    """Apply the list; with `dry_run` only return what would change.

    Raises Invalid, and Conflict if a goal would lose sealed days and that was not
    confirmed.
    """
    with transaction.atomic():
        # The same lock as when a goal is created: no goal is added meanwhile.
        Site.objects.select_for_update().get(pk=site.pk)
        present = definitions(site, lock=True)
        planned = plan(present, wanted, delete_missing=delete_missing)
        if len(present) - len(planned.delete) + len(planned.create) > MAX_GOALS:
            raise Invalid({"goals": [f"A site holds at most {MAX_GOALS} goals."]})
        answer = PlanAnswer(
            create=[PlannedGoal(None, *new) for new in planned.create],
            change=[
                PlannedChange(
                    PlannedGoal(goal.id, *present[goal]), PlannedGoal(goal.id, *new)
                )
                for goal, new in planned.change
            ],
            delete=[PlannedGoal(goal.id, *present[goal]) for goal in planned.delete],
            keep=[PlannedGoal(goal.id, *present[goal]) for goal in planned.keep],
        )
        for goal, new in planned.change:
            rule = Rule(new.type, new.match_type, new.match_value)
            check_kept_past(site, goal.rule, rule, is_confirmed=is_confirmed or dry_run)
        if not dry_run:
            made = _do(site, planned)
            audit.record_each(_deeds(site, planned, present, made))
            changed = [goal for goal, _ in planned.change]
            events.reserve(
                site.pk, exact_names(goal.rule for goal in (*made, *changed))
            )
            for goal, shown in zip(made, answer.create, strict=True):
                shown.id = goal.id
    return answer


def _deeds(
    site: Site,
    planned: Plan[Goal],
    present: Mapping[Goal, Definition],
    made: Iterable[Goal],
) -> Iterator[Record]:
    for goal, new in zip(made, planned.create, strict=True):
        yield Record("goal.created", goal, audit.made(new._asdict()))
    for goal, new in planned.change:
        goal.site = site
        changed = audit.changes(present[goal]._asdict(), new._asdict())
        yield Record("goal.changed", goal, changed)
    for goal in planned.delete:
        goal.site = site
        yield Record("goal.deleted", goal)


def _do(site: Site, planned: Plan[Goal]) -> list[Goal]:
    """Create, change and delete the goals; return the created ones."""
    now = timezone.now()
    for goal, new in planned.change:
        for field, value in new._asdict().items():
            setattr(goal, field, value)
        goal.updated_at = now
    changed = [goal for goal, _ in planned.change]
    Goal.objects.bulk_update(changed, (*Definition._fields, "updated_at"), 200)
    gone = [goal.id for goal in planned.delete]
    site.goals.filter(id__in=gone).update(deleted_at=now)
    return Goal.objects.bulk_create(
        # One microsecond apart: the list of goals is in order of creation.
        Goal(site=site, created_at=now + timedelta(microseconds=i), **new._asdict())
        for i, new in enumerate(planned.create)
    )
