"""What the statistics of a site take."""

from typing import Any

from rest_framework import serializers

from analytics.questions.filters import FilterQuerySerializer
from analytics.questions.period_query import (
    CompareQuerySerializer,
    PeriodQuerySerializer,
)
from analytics.traffic.breakdowns import DIMENSIONS


class DimensionsField(serializers.CharField):
    """Names of dimensions, separated by commas."""

    one = "|".join(DIMENSIONS)
    pattern = f"^({one})(,({one}))*$"

    def run_validation(self, data: object = serializers.empty) -> Any:
        names = super().run_validation(data).split(",")
        for name in names:
            if name not in DIMENSIONS:
                raise serializers.ValidationError(
                    f"No such dimension: {name}. Any of: {', '.join(DIMENSIONS)}."
                )
        return list(dict.fromkeys(names))


class SiteStatsQuerySerializer(
    PeriodQuerySerializer, FilterQuerySerializer, CompareQuerySerializer
):
    dimensions = DimensionsField(
        required=False, help_text="Names, separated by commas."
    )


class PropsQuerySerializer(PeriodQuerySerializer):
    limit = serializers.IntegerField(
        min_value=1, max_value=1_000, default=100, help_text="Of keys."
    )
