"""The descriptions of the reports' operations in the OpenAPI document."""

from drf_spectacular.utils import OpenApiParameter

from goals.counting.answers import AllGoalStats
from goals.reports.breakdown_answers import Breakdown
from goals.reports.conversion_rate import RateAnswer
from goals.reports.export import ConversionAnswer
from goals.reports.files import DELIMITERS
from goals.reports.funnel_serializers import FunnelQuestionSerializer
from goals.reports.funnels import Funnel
from goals.reports.journeys import Journeys
from goals.reports.questions import (
    BreakdownQuestionSerializer,
    ComparedQuestionSerializer,
    ConversionsQuestionSerializer,
    JourneysQuestionSerializer,
    RateQuestionSerializer,
    TimeseriesQuestionSerializer,
)
from goals.reports.timeseries import Timeseries
from krafter.answers import Page
from krafter.openapi.operations import Operation

_OF_CSV = (
    OpenApiParameter(
        "delimiter", enum=[*DELIMITERS], description="Field delimiter. CSV only."
    ),
    OpenApiParameter(
        "bom",
        enum=["true", "false"],
        description="Whether the file begins with a byte order mark. CSV only.",
    ),
)

ALL_GOALS = {
    "stats": Operation(
        id="goals_stats_all",
        summary="Get the stats of all goals of a site",
        query=ComparedQuestionSerializer,
        answer=AllGoalStats,
    )
}

REPORTS = {
    "timeseries": Operation(
        summary="Get a goal's conversions over time",
        query=TimeseriesQuestionSerializer,
        answer=Timeseries,
    ),
    "breakdown": Operation(
        summary="Break down a goal's conversions by a dimension",
        description="JSON responses are paged. CSV and NDJSON responses contain all"
        " values.",
        query=BreakdownQuestionSerializer,
        parameters=_OF_CSV,
        answer=Breakdown,
    ),
    "rate": Operation(
        summary="Get a goal's conversion rate",
        query=RateQuestionSerializer,
        answer=RateAnswer,
    ),
    "journeys": Operation(
        summary="Get the journeys to a goal's conversions",
        description="Describes how visitors reached their first conversion of a day:"
        " the time from arrival to conversion, the pages before the conversion, and"
        " the pages on which the visits began.",
        query=JourneysQuestionSerializer,
        answer=Journeys,
    ),
}

CONVERSIONS = {
    "list": Operation(
        summary="List a goal's conversions",
        description="Each conversion has its source, its visit and the page on which"
        " the visit began. JSON responses are paged. CSV and NDJSON responses contain"
        " the whole period.",
        query=ConversionsQuestionSerializer,
        parameters=_OF_CSV,
        answer=Page[ConversionAnswer],  # type: ignore[valid-type] # a struct that is made
    )
}

FUNNELS = {
    "query": Operation(
        summary="Query a funnel",
        description="Each step is a goal of the site or a rule in the form of a"
        " goal's rule. Visitor ids change at midnight, so a visitor must complete the"
        " steps within one day. Filters and `dimension` apply to the event of the"
        " first step.",
        body=FunnelQuestionSerializer,
        answer=Funnel,
    )
}
