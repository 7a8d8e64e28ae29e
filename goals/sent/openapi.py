"""The descriptions of the operations on names in the OpenAPI document."""

from analytics.questions.period_query import PeriodQuerySerializer
from goals.sent.names import NameAnswer, NameStats
from goals.sent.questions import NamesQuestionSerializer
from krafter.answers import Page
from krafter.openapi.operations import Operation

NAMES = {
    "list": Operation(
        summary="List the names that a site has sent",
        description="Lists the paths of page views and the names of events and custom"
        " goals, each with the goals that count it.",
        query=NamesQuestionSerializer,
        answer=Page[NameAnswer],
    ),
    "stats": Operation(
        summary="Get the daily counts of a name",
        query=PeriodQuerySerializer,
        answer=NameStats,
    ),
}
