"""The query parameters of the reports about goals."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from analytics import events
from analytics.questions.event_pages import PageQuerySerializer
from analytics.questions.filters import FilterQuerySerializer
from analytics.questions.period_query import (
    CompareQuerySerializer,
    PeriodQuerySerializer,
)
from goals.reports import breakdown, files, timeseries
from goals.reports.files import CsvForm
from krafter.fields import ChoiceField, StrictSerializer


class QuestionSerializer(PeriodQuerySerializer, FilterQuerySerializer):
    """A period, and the labels of the visitors."""


class ComparedQuestionSerializer(QuestionSerializer, CompareQuerySerializer):
    """The same, with those of an earlier period."""


class StatsQuestionSerializer(ComparedQuestionSerializer):
    """`detail`: what the revenue is made of, whose labels, or from which day on."""

    detail = ChoiceField(("money", "attribution", "coverage"), required=False)


class TimeseriesQuestionSerializer(ComparedQuestionSerializer):
    interval = ChoiceField(timeseries.INTERVALS, default="day")


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


class CsvFormSerializer(StrictSerializer):
    """How a file is written: German Excel expects semicolons and a BOM."""

    delimiter = ChoiceField(tuple(files.DELIMITERS), default="comma")
    bom = ChoiceField(("true", "false"), default="false")


def csv_form(validated: Mapping[str, Any]) -> CsvForm:
    return CsvForm(delimiter=validated["delimiter"], bom=validated["bom"] == "true")


class BreakdownFileSerializer(QuestionSerializer):
    """Every value, in one file."""

    dimension = DimensionField(trim_whitespace=False, max_length=1_100, default="path")
    sort = ChoiceField(breakdown.SORTS, default="-conversions")
    include = ChoiceField(
        ("visitors",),
        required=False,
        help_text="`visitors`: also list values with visitors but without"
        " conversions. Rows of paths, names and properties then have `visitors` and"
        " `rate`, which rows of labels always have.",
    )


class JourneysQuestionSerializer(QuestionSerializer):
    limit = serializers.IntegerField(
        min_value=1,
        max_value=100,
        default=10,
        help_text="Maximum number of rows in each list.",
    )


class BreakdownCsvSerializer(BreakdownFileSerializer, CsvFormSerializer):
    """The same as CSV."""


class BreakdownQuestionSerializer(BreakdownFileSerializer, ComparedQuestionSerializer):
    """A page of the values."""

    limit = serializers.IntegerField(min_value=1, max_value=1_000, default=100)
    cursor = serializers.CharField(required=False)


class LedgerQuestionSerializer(QuestionSerializer):
    """`include`: what is listed besides conversions."""

    include = ChoiceField(
        ("refunds",),
        required=False,
        help_text="`refunds`: also list the refunds made in the period.",
    )


class ConversionsQuestionSerializer(LedgerQuestionSerializer, PageQuerySerializer):
    """A page of the conversions."""


class ConversionsCsvSerializer(LedgerQuestionSerializer, CsvFormSerializer):
    """All conversions as CSV."""


class RateQuestionSerializer(ComparedQuestionSerializer):
    """`of`: another goal of the site, whose visitors are the whole."""

    of = serializers.UUIDField(required=False)
