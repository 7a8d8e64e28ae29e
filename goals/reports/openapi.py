"""What the OpenAPI document says of the questions beyond a goal's stats."""

from goals.counting.answers import AllGoalStats
from goals.reports.breakdown import Breakdown
from goals.reports.conversion_rate import RateAnswer
from goals.reports.export import ConversionAnswer
from goals.reports.funnel_serializers import FunnelQuestionSerializer
from goals.reports.funnels import Funnel
from goals.reports.questions import (
    BreakdownQuestionSerializer,
    ConversionsQuestionSerializer,
    QuestionSerializer,
    RateQuestionSerializer,
    TimeseriesQuestionSerializer,
)
from goals.reports.timeseries import Timeseries
from krafter.answers import Page
from krafter.openapi.operations import Operation

ALL_GOALS = {
    "stats": Operation(
        id="goals_stats_all",
        summary="How many conversions each goal of a site had",
        query=QuestionSerializer,
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
        query=BreakdownQuestionSerializer,
        answer=Breakdown,
    ),
    "rate": Operation(
        summary="Which part of the visitors converted",
        query=RateQuestionSerializer,
        answer=RateAnswer,
    ),
}

CONVERSIONS = {
    "list": Operation(
        summary="List a goal's conversions",
        description="Page by page; as CSV or NDJSON the whole period at once.",
        query=ConversionsQuestionSerializer,
        answer=Page[ConversionAnswer],  # type: ignore[valid-type] # a struct that is made
    )
}

FUNNELS = {
    "query": Operation(
        summary="How many visitors went through steps in order",
        description="A step is a goal of the site, or a rule like a goal's. Visitors"
        " change their ids at midnight, so that a way ends with its day.",
        body=FunnelQuestionSerializer,
        answer=Funnel,
    )
}
