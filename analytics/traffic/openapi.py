"""The descriptions of the operations on site statistics in the OpenAPI document."""

from analytics.ingest.drops import Drops
from analytics.questions.period_query import PeriodQuerySerializer
from analytics.traffic.sent_props import SentPropsAnswer
from analytics.traffic.serializers import PropsQuerySerializer, SiteStatsQuerySerializer
from analytics.traffic.site_stats import Realtime, SiteStats
from krafter.openapi.operations import Operation

SITE_STATS = {
    "stats": Operation(
        summary="Get a site's statistics",
        query=SiteStatsQuerySerializer,
        answer=SiteStats,
    ),
    "realtime": Operation(
        summary="Get the visitors of the last 5 minutes",
        answer=Realtime,
        errors=(422,),
    ),
    "props": Operation(
        summary="List the properties of a site's events",
        description="Lists the keys, the types of their values and their most"
        " frequent values. Covers the newest 50,000 events of the period that have"
        " properties.",
        query=PropsQuerySerializer,
        answer=SentPropsAnswer,
    ),
    "drops": Operation(
        summary="Count dropped events by rule",
        description="Explains why events sent by pages are not counted. Rules are"
        " listed in the order in which they are checked. An event is dropped by the"
        " first rule that applies.",
        query=PeriodQuerySerializer,
        answer=Drops,
    ),
}
