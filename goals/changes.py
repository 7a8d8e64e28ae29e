"""Create, change, delete and restore goals, for the API, the pages and the admin."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from analytics import events
from analytics.access import audit
from analytics.models import Site
from goals.kept_past import check_kept_past
from goals.matching import Rule, exact_names
from goals.models import Goal, lacks_room
from krafter.errors import Invalid


@transaction.atomic
def create(site: Site, checked: Any) -> Goal:
    """Store a goal from a valid serializer. Raises Invalid."""
    if refusal := lacks_room(site):
        raise Invalid({"non_field_errors": [refusal]})
    goal: Goal = checked.save(site=site)
    events.reserve(site.pk, exact_names([goal.rule]))
    after = audit.made(checked.validated_data)
    audit.record("goal.created", goal, changes=after)
    return goal


def change(checked: Any, *, is_confirmed: bool = False) -> Goal:
    """Store the changes of a valid serializer of a locked goal.

    Raises LosesPast if the goal would lose sealed days and this was not confirmed.
    """
    sent = checked.validated_data
    before = checked.instance.rule
    rule = before._replace(
        **{field: sent[field] for field in Rule._fields if field in sent}
    )
    check_kept_past(checked.instance.site, before, rule, is_confirmed=is_confirmed)
    changed = audit.changes(audit.values(checked.instance, sent), sent)
    goal: Goal = checked.save(updated_at=timezone.now())
    events.reserve(goal.site_id, exact_names([goal.rule]))
    if changed:
        audit.record("goal.changed", goal, changes=changed)
    return goal


@transaction.atomic
def delete(goal: Goal) -> None:
    """Hide a goal. Its events and the stored counts of its rule are kept."""
    goal.deleted_at = timezone.now()
    goal.save(update_fields=["deleted_at"])
    audit.record("goal.deleted", goal)


@transaction.atomic
def restore(goal: Goal) -> None:
    """Restore a deleted goal with its whole history. Raises Invalid."""
    if refusal := lacks_room(goal.site):
        raise Invalid({"non_field_errors": [refusal]})
    Goal.objects.filter(pk=goal.pk).update(deleted_at=None)
    goal.deleted_at = None
    audit.record("goal.restored", goal)


@transaction.atomic
def star(goal: Goal, *, is_starred: bool) -> None:
    """Star or unstar a goal. Repeating it has no effect."""
    if is_starred == (goal.starred_at is not None):
        return
    goal.starred_at = timezone.now() if is_starred else None
    goal.save(update_fields=["starred_at"])
    audit.record("goal.starred" if is_starred else "goal.unstarred", goal)
