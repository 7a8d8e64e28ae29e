"""Serializers of saved funnels."""

from typing import Any

from rest_framework import serializers

from goals.models import SavedFunnel
from goals.reports.funnel_serializers import (
    MAX_STEPS,
    MIN_STEPS,
    MINUTES_A_DAY,
    StepField,
)
from krafter.fields import NameField, NumberField, StrictModelSerializer


class _SavedStepField(StepField):
    """A step that is validated like that of a query, and stored as it was sent."""

    def to_internal_value(self, data: object) -> Any:
        step = super().to_internal_value(data)
        return step.rule._asdict() if step.goal_id is None else _of_goal(step.goal_id)

    def to_representation(self, value: Any) -> Any:
        return value


def _of_goal(id: object) -> dict[str, str]:
    return {"goal": str(id)}


class SavedFunnelSerializer(StrictModelSerializer):
    name = NameField()
    steps = serializers.ListField(
        child=_SavedStepField(), min_length=MIN_STEPS, max_length=MAX_STEPS
    )
    window_minutes = NumberField(
        required=False, allow_null=True, min_value=1, max_value=MINUTES_A_DAY
    )

    class Meta:
        model = SavedFunnel
        fields = ("id", "name", "steps", "window_minutes")
