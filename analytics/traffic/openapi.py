"""What the OpenAPI document says of the statistics of a site."""

from analytics.ingest.drops import Drops
from analytics.questions.period_query import PeriodQuerySerializer
from analytics.traffic.sent_props import SentPropsAnswer
from analytics.traffic.serializers import PropsQuerySerializer, SiteStatsQuerySerializer
from analytics.traffic.site_stats import Realtime, SiteStats
from krafter.openapi.operations import Operation

SITE_STATS = {
    "stats": Operation(
        summary="How much a site was visited",
        query=SiteStatsQuerySerializer,
        answer=SiteStats,
    ),
    "realtime": Operation(
        summary="Who was there in the last 5 minutes",
        answer=Realtime,
        errors=(422,),
    ),
    "props": Operation(
        summary="Which properties the events of a site carry",
        description="Keys, the types of their values and the most frequent values,"
        " of the newest 50,000 events of the period that have properties.",
        query=PropsQuerySerializer,
        answer=SentPropsAnswer,
    ),
    "drops": Operation(
        summary="How many events each rule dropped",
        description="Why events that a page sent are not counted. Rules in the order"
        " in which they are asked; the first that holds drops an event.",
        query=PeriodQuerySerializer,
        answer=Drops,
    ),
}
