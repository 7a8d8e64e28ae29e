"""What the questions about goals answer, as the OpenAPI document describes it."""

from typing import Any

from drf_spectacular.utils import (
    OpenApiParameter,
    PolymorphicProxySerializer,
    extend_schema_field,
)
from rest_framework import serializers

from analytics import events
from analytics.ingest.serializers import EventSerializer
from analytics.questions.period_query import PeriodQuerySerializer
from analytics.traffic.serializers import PeriodSerializer
from goals.filters import GoalFilter
from goals.models import GoalType, MatchType
from goals.reports import timeseries
from goals.reports.funnel_serializers import (
    MAX_STEPS,
    MIN_STEPS,
    FunnelQuestionSerializer,
    RuleSerializer,
)
from goals.reports.questions import (
    BreakdownQuestionSerializer,
    ConversionsQuestionSerializer,
    QuestionSerializer,
    RateQuestionSerializer,
    StatsQuestionSerializer,
    TimeseriesQuestionSerializer,
)
from goals.serializers import GoalSerializer
from goals.sets.apply import ApplyQuerySerializer
from krafter.openapi.operations import (
    IDEMPOTENCY_KEY,
    IF_MATCH,
    AnswerSerializer,
    Operation,
    WholeSerializer,
    page_of,
    reference,
)


def _money(**options: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=None, decimal_places=None, **options)


class PreviewBodySerializer(PeriodQuerySerializer):
    """A draft, or changes of the goal with the id `goal`, and a period."""

    goal = serializers.UUIDField(required=False)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        changes = GoalSerializer().get_fields()
        for field in changes.values():
            field.required = False
        return {**super().get_fields(), **changes}


class CountsSerializer(AnswerSerializer):
    """Unique are the distinct visitors of each day, summed over the days."""

    conversions = serializers.IntegerField()
    unique_conversions = serializers.IntegerField()
    revenue = _money(allow_null=True, help_text="Null without a currency.")


class ComparedStatsSerializer(CountsSerializer):
    period = PeriodSerializer()


class SubtotalSerializer(AnswerSerializer):
    currency = serializers.CharField(allow_null=True)
    payment_count = serializers.IntegerField()
    refund_count = serializers.IntegerField()
    gross = _money()
    refunds = _money()
    net = _money()


class ConvertedSerializer(AnswerSerializer):
    day = serializers.DateField()
    currency = serializers.CharField()
    amount = _money()
    per_euro = serializers.DictField(child=_money())
    worth = _money()


class UnconvertedSerializer(AnswerSerializer):
    currency = serializers.CharField()
    count = serializers.IntegerField()
    amount = _money()


class GoalMoneySerializer(AnswerSerializer):
    currency = serializers.CharField()
    gross = _money()
    refunds = _money()
    net = _money(help_text="The revenue.")
    subtotals = SubtotalSerializer(many=True)
    converted = ConvertedSerializer(many=True)
    unconverted = UnconvertedSerializer(many=True)


class GoalStatsSerializer(CountsSerializer):
    money = GoalMoneySerializer(
        required=False, allow_null=True, help_text="With `detail=money`."
    )
    comparison = ComparedStatsSerializer(required=False, help_text="With `compare`.")


class GoalCountsSerializer(CountsSerializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    currency = serializers.CharField(allow_null=True)


class AllGoalStatsSerializer(AnswerSerializer):
    period = PeriodSerializer()
    goals = GoalCountsSerializer(many=True)


class TimeseriesPointSerializer(CountsSerializer):
    date = serializers.DateField(required=False, help_text="Where it is of days.")
    start = serializers.DateTimeField(required=False, help_text="Of an hour.")


class ComparedTimeseriesSerializer(AnswerSerializer):
    period = PeriodSerializer()
    interval = serializers.ChoiceField(timeseries.INTERVALS)
    timeseries = TimeseriesPointSerializer(many=True)


class TimeseriesSerializer(ComparedTimeseriesSerializer):
    comparison = ComparedTimeseriesSerializer(
        required=False, help_text="With `compare`."
    )


@extend_schema_field({"type": ["string", "number", "boolean", "null"]})
class ValueField(serializers.Field[Any, Any, Any, Any]):
    """A text; of a property also a number, a boolean or null."""


class BreakdownRowSerializer(CountsSerializer):
    value = ValueField()


class BreakdownSerializer(AnswerSerializer):
    period = PeriodSerializer()
    dimension = serializers.CharField()
    breakdown = BreakdownRowSerializer(many=True)
    total_values = serializers.IntegerField()


class MatchedNameSerializer(AnswerSerializer):
    name = serializers.CharField()
    conversions = serializers.IntegerField()


class MatchedNamesSerializer(AnswerSerializer):
    """The most frequent of the names, and how many there are."""

    conversions = serializers.IntegerField()
    names = MatchedNameSerializer(many=True)
    total_names = serializers.IntegerField()


class PreviewSerializer(MatchedNamesSerializer, CountsSerializer):
    period = PeriodSerializer()
    wins = MatchedNamesSerializer(required=False, help_text="Of an edit.")
    loses = MatchedNamesSerializer(required=False, help_text="Of an edit.")


class IdentifiedSerializer(AnswerSerializer):
    type = serializers.CharField()
    name = serializers.CharField()


class ReasonSerializer(AnswerSerializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    matches = serializers.BooleanField()
    reason = serializers.CharField()


class ExplanationSerializer(AnswerSerializer):
    event = IdentifiedSerializer()
    goals = ReasonSerializer(many=True)


class ConversionSerializer(EventSerializer):
    """An event that was a conversion."""

    page = serializers.CharField(allow_null=True, help_text="Null for a page view.")

    class Meta(EventSerializer.Meta):
        fields = (*EventSerializer.Meta.fields, "page")


class VisitorsSerializer(AnswerSerializer):
    unique_visitors = serializers.IntegerField()
    meaning = serializers.CharField()


class ConfidenceSerializer(AnswerSerializer):
    level = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class RateSerializer(AnswerSerializer):
    period = PeriodSerializer()
    numerator = VisitorsSerializer()
    denominator = VisitorsSerializer()
    rate = serializers.FloatField(allow_null=True)
    interval = ConfidenceSerializer(allow_null=True)
    too_few_to_compare = serializers.BooleanField()


class GoalStepSerializer(AnswerSerializer):
    """A goal of the site."""

    goal = serializers.UUIDField()


@extend_schema_field(
    PolymorphicProxySerializer(
        component_name="FunnelStep",
        serializers=[RuleSerializer, GoalStepSerializer],
        resource_type_field_name=None,
    )
)
class FunnelStepField(serializers.Field[Any, Any, Any, Any]):
    """Stands for the field that reads a step, in the document only."""


class FunnelBodySerializer(FunnelQuestionSerializer):
    steps = serializers.ListField(
        child=FunnelStepField(), min_length=MIN_STEPS, max_length=MAX_STEPS
    )


class ReachedStepSerializer(AnswerSerializer):
    goal = serializers.UUIDField(allow_null=True, help_text="Null for a rule.")
    type = serializers.ChoiceField(GoalType.choices)
    match_type = serializers.ChoiceField(MatchType.choices)
    match_value = serializers.CharField()
    visitors = serializers.IntegerField()
    dropped = serializers.IntegerField()
    share_of_previous = serializers.FloatField(allow_null=True)
    share_of_first = serializers.FloatField(allow_null=True)


class FunnelSerializer(AnswerSerializer):
    period = PeriodSerializer()
    window_minutes = serializers.IntegerField(allow_null=True)
    steps = ReachedStepSerializer(many=True)


class PlannedGoalSerializer(AnswerSerializer):
    id = serializers.UUIDField(
        allow_null=True, help_text="Null for one that is not made yet."
    )
    name = serializers.CharField()
    type = serializers.ChoiceField(GoalType.choices)
    match_type = serializers.ChoiceField(MatchType.choices)
    match_value = serializers.CharField()
    currency = serializers.CharField(allow_null=True)


class PlannedChangeSerializer(AnswerSerializer):
    before = PlannedGoalSerializer()
    after = PlannedGoalSerializer()


class PlanSerializer(AnswerSerializer):
    create = PlannedGoalSerializer(many=True)  # type: ignore[assignment] # hides a method of theirs that an answer does not need
    change = PlannedChangeSerializer(many=True)
    delete = PlannedGoalSerializer(many=True)
    keep = PlannedGoalSerializer(many=True)


class MessageSerializer(WholeSerializer):
    """An answer of JSON-RPC 2.0: `result`, or `error`.

    What fails before there is a request to answer has only `error`, a sentence.
    """

    jsonrpc = serializers.CharField(required=False)
    id = serializers.JSONField(required=False)
    result = serializers.JSONField(required=False)
    error = serializers.JSONField(required=False)


# The owner's own.
_PURCHASE = {
    "id": "550e8400-e29b-41d4-a716-446655440000",
    "name": "Purchase",
    "type": "custom",
    "match_type": "exact",
    "match_value": "purchase",
    "currency": "USD",
}

OPERATIONS = {
    "mcp_call": Operation(
        summary="Ask by the Model Context Protocol",
        description="One message of JSON-RPC 2.0 over Streamable HTTP, stateless."
        " See docs/mcp.md. A notification is answered 202 without a body.",
        body={
            "application/json": {
                "type": "object",
                "properties": {
                    "jsonrpc": {"const": "2.0"},
                    "id": {"type": ["string", "integer"]},
                    "method": {"type": "string"},
                    "params": {"type": "object", "additionalProperties": {}},
                },
                "required": ["jsonrpc", "method"],
            }
        },
        answer={
            200: MessageSerializer,
            202: None,
            400: MessageSerializer,
            404: MessageSerializer,
        },
    ),
    "goals_list": Operation(filters=GoalFilter, answered=_PURCHASE),
    "goals_apply": Operation(
        summary="Make a site's goals those of a list",
        description="Names tell goals apart. **Goals that are not in the list are"
        " deleted**, unless `delete_missing` is false; their events stay. With"
        " `dry_run=true` nothing is done, and the answer is what would be.",
        query=ApplyQuerySerializer,
        answer=PlanSerializer,
    ),
    "goals_create": Operation(
        parameters=(IDEMPOTENCY_KEY,),
        sent={name: value for name, value in _PURCHASE.items() if name != "id"},
        answered=_PURCHASE,
        headers=("ETag", "Location"),
    ),
    "goals_update": Operation(
        parameters=(IF_MATCH,),
        sent={"name": "Completed Purchase", "currency": "EUR"},
        answered=_PURCHASE | {"name": "Completed Purchase", "currency": "EUR"},
        headers=("ETag",),
        errors=(412,),
    ),
    "goals_delete": Operation(parameters=(IF_MATCH,), errors=(412,)),
    "goals_stats": Operation(
        summary="How many conversions a goal had",
        query=StatsQuestionSerializer,
        answer=GoalStatsSerializer,
        answered={"conversions": 342, "unique_conversions": 298, "revenue": 16758.0},
    ),
    "goals_stats_all": Operation(
        summary="How many conversions each goal of a site had",
        query=QuestionSerializer,
        answer=AllGoalStatsSerializer,
    ),
    "goals_timeseries": Operation(
        summary="A goal's conversions over time, zeros included",
        query=TimeseriesQuestionSerializer,
        answer=TimeseriesSerializer,
    ),
    "goals_breakdown": Operation(
        summary="A goal's conversions by the values of a dimension",
        query=BreakdownQuestionSerializer,
        parameters=(
            OpenApiParameter(
                "dimension",
                {
                    "type": "string",
                    "default": "path",
                    "maxLength": 1_100,
                    "pattern": rf"^({'|'.join(events.DIMENSIONS)}|props\.[^\x00]+)$",
                },
            ),
        ),
        answer=BreakdownSerializer,
    ),
    "goals_rate": Operation(
        summary="Which part of the visitors converted",
        query=RateQuestionSerializer,
        answer=RateSerializer,
    ),
    "conversions_list": Operation(
        summary="List a goal's conversions",
        description="Page by page; as CSV or NDJSON the whole period at once.",
        query=ConversionsQuestionSerializer,
        answer=page_of(ConversionSerializer),
    ),
    "goals_preview": Operation(
        summary="What a goal would count, or what an edit would win and lose",
        description="A draft is a goal without an id, its name optional. With `goal`,"
        " the id of one that exists, only the fields to change are given.",
        body=PreviewBodySerializer,
        answer=PreviewSerializer,
    ),
    "goals_explain": Operation(
        summary="Which goals an event satisfies, and why",
        body={"application/json": reference("AnyEvent")},
        answer=ExplanationSerializer,
    ),
    "funnels_query": Operation(
        summary="How many visitors went through steps in order",
        description="A step is a goal of the site, or a rule like a goal's. Visitors"
        " change their ids at midnight, so that a way ends with its day.",
        body=FunnelBodySerializer,
        answer=FunnelSerializer,
    ),
}
