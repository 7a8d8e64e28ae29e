"""What the questions about goals take, and how their answers name the days."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from rest_framework import serializers

from analytics.days import PeriodQuerySerializer
from analytics.filtering import FilterQuerySerializer
from analytics.periods import Days, PeriodError
from goals import comparison
from krafter.api import Invalid


class QuestionSerializer(PeriodQuerySerializer, FilterQuerySerializer):
    """A period, and the labels of the visitors."""


class ComparedQuestionSerializer(QuestionSerializer):
    compare = serializers.ChoiceField(comparison.KINDS, required=False)


class StatsQuestionSerializer(ComparedQuestionSerializer):
    """`detail=money` asks what the revenue is made of."""

    detail = serializers.ChoiceField(("money",), required=False)


def compared(validated: Mapping[str, Any], days: Days) -> Days | None:
    """The days to compare with, if the query asks for a comparison."""
    if "compare" not in validated:
        return None
    try:
        return comparison.window(validated["compare"], days)
    except PeriodError as error:
        raise Invalid({error.parameter: [error.message]}) from None


def shown(days: Days) -> dict[str, date]:
    return {"from": days.first, "to": days.last}
