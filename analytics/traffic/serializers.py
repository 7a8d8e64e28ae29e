"""What the statistics of a site take, and what they answer."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from analytics.questions.filters import FilterQuerySerializer
from analytics.questions.period_query import PeriodQuerySerializer
from analytics.traffic.site_stats import DIMENSIONS

_Answer = serializers.Serializer[dict[str, Any]]


class DimensionsField(serializers.CharField):
    """Names of dimensions, separated by commas."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        names = super().run_validation(data).split(",")
        for name in names:
            if name not in DIMENSIONS:
                raise serializers.ValidationError(
                    f"No such dimension: {name}. Any of: {', '.join(DIMENSIONS)}."
                )
        return list(dict.fromkeys(names))


class SiteStatsQuerySerializer(PeriodQuerySerializer, FilterQuerySerializer):
    dimensions = DimensionsField(required=False)


@extend_schema_serializer(component_name="Days")
class PeriodSerializer(_Answer):
    to = serializers.DateField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # `from` is a word of Python's, so that it cannot be declared above.
        return {"from": serializers.DateField(), **super().get_fields()}


class TrafficSerializer(_Answer):
    pageviews = serializers.IntegerField()
    visitors = serializers.IntegerField()
    visits = serializers.IntegerField()


class DaySerializer(TrafficSerializer):
    date = serializers.DateField()


@extend_schema_serializer(component_name="Share")
class SiteBreakdownRowSerializer(_Answer):
    value = serializers.CharField(allow_null=True)
    pageviews = serializers.IntegerField()
    visitors = serializers.IntegerField()


class SiteStatsSerializer(_Answer):
    period = PeriodSerializer()
    totals = TrafficSerializer()
    timeseries = DaySerializer(many=True)
    breakdowns = serializers.DictField(
        child=SiteBreakdownRowSerializer(many=True), required=False
    )


class DropSerializer(_Answer):
    rule = serializers.CharField()
    count = serializers.IntegerField()


class DropsSerializer(_Answer):
    period = PeriodSerializer()
    drops = DropSerializer(many=True)


class RealtimeSerializer(_Answer):
    visitors = serializers.IntegerField()
    pageviews = serializers.IntegerField()
