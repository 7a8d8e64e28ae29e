"""What the questions about goals take."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from analytics import events
from analytics.questions.event_pages import PageQuerySerializer
from analytics.questions.filters import FilterQuerySerializer
from analytics.questions.period_query import PeriodQuerySerializer
from analytics.questions.periods import Days, PeriodError
from goals.reports import breakdown, comparison, timeseries
from krafter.errors import Invalid


class QuestionSerializer(PeriodQuerySerializer, FilterQuerySerializer):
    """A period, and the labels of the visitors."""


class ComparedQuestionSerializer(QuestionSerializer):
    compare = serializers.ChoiceField(comparison.KINDS, required=False)


class StatsQuestionSerializer(ComparedQuestionSerializer):
    """`detail=money` asks what the revenue is made of."""

    detail = serializers.ChoiceField(("money",), required=False)


class TimeseriesQuestionSerializer(ComparedQuestionSerializer):
    interval = serializers.ChoiceField(timeseries.INTERVALS, default="day")


class DimensionField(serializers.CharField):
    """A dimension, or `props.` and a key with everything that is in it."""

    pattern = rf"^({'|'.join(events.DIMENSIONS)}|props\.[^\x00]+)$"

    def to_internal_value(self, data: str) -> str:
        dimension = super().to_internal_value(data)
        if dimension in events.DIMENSIONS:
            return dimension
        if dimension.startswith(events.PROPS) and dimension != events.PROPS:
            return dimension
        known = ", ".join(events.DIMENSIONS)
        raise serializers.ValidationError(f"One of: {known}, {events.PROPS}<key>.")


class BreakdownQuestionSerializer(QuestionSerializer):
    dimension = DimensionField(trim_whitespace=False, max_length=1_100, default="path")
    sort = serializers.ChoiceField(breakdown.SORTS, default="-conversions")
    limit = serializers.IntegerField(min_value=1, max_value=1_000, default=100)


class ConversionsQuestionSerializer(QuestionSerializer, PageQuerySerializer):
    """A page of the conversions."""


class RateQuestionSerializer(QuestionSerializer):
    """`of`: another goal of the site, whose visitors are the whole."""

    of = serializers.UUIDField(required=False)


def compared(validated: Mapping[str, Any], days: Days) -> Days | None:
    """The days to compare with, if the query asks for a comparison."""
    if "compare" not in validated:
        return None
    try:
        return comparison.window(validated["compare"], days)
    except PeriodError as error:
        raise Invalid({error.parameter: [error.message]}) from None
