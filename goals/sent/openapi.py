"""What the OpenAPI document says of what a site sent."""

from analytics.questions.period_query import PeriodQuerySerializer
from goals.sent.names import NameAnswer, NameStats
from goals.sent.questions import NamesQuestionSerializer
from krafter.answers import Page
from krafter.openapi.operations import Operation

NAMES = {
    "list": Operation(
        summary="List the names that a site sent",
        description="Paths of page views, names of events and of goals, and which"
        " goals count each.",
        query=NamesQuestionSerializer,
        answer=Page[NameAnswer],
    ),
    "stats": Operation(
        summary="How often a name was sent, day by day",
        query=PeriodQuerySerializer,
        answer=NameStats,
    ),
}
