"""Query parameters of the lists of names."""

from typing import Any

from rest_framework import serializers

from analytics import events
from analytics.models import EventType
from analytics.questions import cursors
from analytics.questions.period_query import PeriodQuerySerializer
from krafter.fields import ChoiceField


class PlaceField(serializers.CharField):
    """A cursor; its validated value is the position of the previous page's last row."""

    def run_validation(self, data: object = serializers.empty) -> Any:
        return cursors.read_place(super().run_validation(data))


class NamesQuestionSerializer(PeriodQuerySerializer):
    """`unmatched=true`: only names that no goal counts."""

    type = ChoiceField(EventType.choices, required=False)
    search = serializers.CharField(
        required=False,
        trim_whitespace=False,
        max_length=1_024,
        help_text="Text that the name contains, ignoring the case of ASCII letters.",
    )
    unmatched = ChoiceField(("true", "false"), default="false")
    sort = ChoiceField(events.NAME_ORDERS, default="-events")
    # The list shows when each name was first seen, which is not stored.
    limit = serializers.IntegerField(min_value=1, max_value=100, default=100)
    cursor = PlaceField(required=False)
