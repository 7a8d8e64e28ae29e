"""Validation of funnel requests."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import (
    PolymorphicProxySerializer,
    extend_schema_field,
    extend_schema_serializer,
)
from rest_framework import serializers

from analytics import events
from analytics.models import Site
from analytics.questions.filters import filters
from analytics.questions.period_query import days
from analytics.sources import rules_of
from goals.lookup import named_goal
from goals.matching import Rule
from goals.reports.funnels import Step
from goals.reports.questions import DimensionField, QuestionSerializer
from goals.serializers import GoalSerializer
from krafter.fields import NumberField

MIN_STEPS, MAX_STEPS = 2, 8
MINUTES_A_DAY = 24 * 60


class RuleSerializer(GoalSerializer):
    """The rule of a goal: type, match type and match value."""

    class Meta(GoalSerializer.Meta):
        fields = ("type", "match_type", "match_value")


class GoalStepSerializer(serializers.Serializer[dict[str, Any]]):
    """A goal of the site."""

    goal = serializers.UUIDField()


@extend_schema_field(
    PolymorphicProxySerializer(
        component_name="FunnelStep",
        serializers=[RuleSerializer, GoalStepSerializer],
        resource_type_field_name=None,
    )
)
class StepField(serializers.Field[Step, Any, Any, Any]):
    """A goal of the site in `context` by its id, or a rule."""

    def to_internal_value(self, data: object) -> Step:
        if not isinstance(data, dict):
            raise serializers.ValidationError("Must be an object.")
        if "goal" not in data:
            rule = RuleSerializer(data=data)
            rule.is_valid(raise_exception=True)
            return Step(Rule(**rule.validated_data))
        if extra := sorted(data.keys() - {"goal"}):
            raise serializers.ValidationError(
                {name: ["Not allowed together with goal."] for name in extra}
            )
        goal = named_goal(self.context["site"], data["goal"])
        return Step(goal.rule, goal.pk)


class SavedFunnelQuestionSerializer(QuestionSerializer):
    """What is asked of steps: days, filters, and what visitors are told apart by."""

    dimension = DimensionField(
        required=False,
        trim_whitespace=False,
        max_length=1_100,
        help_text="Also count visitors by the values of this dimension at their first"
        " step, such as `country` or `props.plan`.",
    )


@extend_schema_serializer(component_name="FunnelBody")
class FunnelQuestionSerializer(SavedFunnelQuestionSerializer):
    steps = serializers.ListField(
        child=StepField(), min_length=MIN_STEPS, max_length=MAX_STEPS
    )
    window_minutes = NumberField(
        required=False, allow_null=True, min_value=1, max_value=MINUTES_A_DAY
    )


def selection(site: Site, asked: Mapping[str, Any]) -> events.Selection:
    """Return the days and filters of a validated request. Raises Invalid."""
    labels = filters(asked, site)
    return events.Selection(site.pk, *days(site, asked), labels, sources=rules_of(site))
