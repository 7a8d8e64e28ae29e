"""Goals that are not stored: a draft of a new goal, or a draft of an edit."""

from collections.abc import Mapping
from copy import copy
from typing import Any

from rest_framework import serializers

from analytics.models import Site
from analytics.questions.period_query import PeriodQuerySerializer
from goals.drafts.hints import perl_hints
from goals.models import Goal
from goals.serializers import GoalSerializer
from krafter.fields import Fields, NameField


class DraftSerializer(GoalSerializer):
    """The fields of a new goal; the name is optional."""

    name = NameField(required=False)


class PreviewBodySerializer(PeriodQuerySerializer):
    """A draft of a goal, or changes to the goal with the id `goal`, and a period."""

    goal = serializers.UUIDField(required=False)

    def get_fields(self) -> Fields:
        changes = GoalSerializer().get_fields()
        for field in changes.values():
            field.required = False
        return {**super().get_fields(), **changes}


def draft(site: Site, fields: Mapping[str, Any]) -> Goal:
    """Return the goal that these fields would create. Raises ValidationError."""
    checked = DraftSerializer(data=fields)
    _check(checked)
    return Goal(site=site, **checked.validated_data)


def edit(goal: Goal, fields: Mapping[str, Any]) -> Goal:
    """Return the goal as it would be after a PATCH with these fields."""
    checked = GoalSerializer(goal, data=fields, partial=True)
    _check(checked)
    edited = copy(goal)
    for name, value in checked.validated_data.items():
        setattr(edited, name, value)
    return edited


def _check(checked: GoalSerializer) -> None:
    """Raise ValidationError; for a refused pattern, with RE2 alternatives."""
    if checked.is_valid():
        return
    errors = dict(checked.errors)
    pattern = checked.initial_data.get("match_value")
    if "match_value" in errors and isinstance(pattern, str):
        errors["match_value"] = [*errors["match_value"], *perl_hints(pattern)]
    raise serializers.ValidationError(errors)
