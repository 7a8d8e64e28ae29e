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
    OpenApiParameter("delimiter", enum=[*DELIMITERS], description="Of CSV only."),
    OpenApiParameter(
        "bom",
        enum=["true", "false"],
        description="Of CSV only: begin with a byte order mark.",
    ),
)

ALL_GOALS = {
    "stats": Operation(
        id="goals_stats_all",
        summary="How many conversions each goal of a site had",
        query=ComparedQuestionSerializer,
        answer=AllGoalStats,
    )
}

REPORTS = {
    "timeseries": Operation(
        summary="A goal's conversions over time, zeros included",
        query=TimeseriesQuestionSerializer,
        answer=Timeseries,
    ),
    "breakdown": Operation(
        summary="A goal's conversions by the values of a dimension",
        description="Page by page; as CSV or NDJSON all values at once.",
        query=BreakdownQuestionSerializer,
        parameters=_OF_CSV,
        answer=Breakdown,
    ),
    "rate": Operation(
        summary="Which part of the visitors converted",
        query=RateQuestionSerializer,
        answer=RateAnswer,
    ),
    "journeys": Operation(
        summary="How visitors came to convert, and how long it took",
        description="Of visitors to their first conversion of a day: the time from"
        " arrival to conversion, the pages before it, and those on which visits began.",
        query=JourneysQuestionSerializer,
        answer=Journeys,
    ),
}

CONVERSIONS = {
    "list": Operation(
        summary="List a goal's conversions",
        description="Each with its source, its visit and the page on which that began."
        " Page by page; as CSV or NDJSON the whole period at once.",
        query=ConversionsQuestionSerializer,
        parameters=_OF_CSV,
        answer=Page[ConversionAnswer],  # type: ignore[valid-type] # a struct that is made
    )
}

FUNNELS = {
    "query": Operation(
        summary="How many visitors went through steps in order",
        description="A step is a goal of the site, or a rule like a goal's. Visitors"
        " change their ids at midnight, so that a way ends with its day. Filters and"
        " `dimension` are of the event that a visitor began with.",
        body=FunnelQuestionSerializer,
        answer=Funnel,
    )
}
