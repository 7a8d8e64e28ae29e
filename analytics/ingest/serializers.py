"""Query parameters of the list of a site's events."""

from rest_framework import serializers

from analytics.models import EventType
from analytics.questions.event_pages import PageQuerySerializer
from analytics.questions.period_query import FromQuerySerializer
from krafter.fields import ChoiceField, DayField


class EventQuerySerializer(FromQuerySerializer, PageQuerySerializer):
    """The filters of a site's events. `from` and `to` are days, both included."""

    type = ChoiceField(EventType.choices, required=False)
    name = serializers.CharField(
        required=False, max_length=2_048, trim_whitespace=False
    )
    to = DayField(required=False)
