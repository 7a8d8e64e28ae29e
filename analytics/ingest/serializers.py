"""Stored events as the API shows them."""

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from analytics import events
from analytics.models import Event, EventType
from krafter.fields import DayField, StrictSerializer


class EventSerializer(serializers.ModelSerializer[Event]):
    """A stored event, in the words in which it was sent."""

    id = serializers.CharField(source="event_id", allow_null=True)
    type = serializers.ChoiceField(EventType.choices, source="name.type")
    name = serializers.CharField(source="name.name")
    timestamp = serializers.DateTimeField(source="at")
    visitor = serializers.SerializerMethodField()
    props = serializers.DictField(allow_null=True)
    revenue = serializers.SerializerMethodField()

    class Meta:
        model = Event
        fields: tuple[str, ...] = (
            "id",
            "type",
            "name",
            "timestamp",
            "visitor",
            "revenue",
            "currency",
            "props",
        )

    def get_visitor(self, event: Event) -> str:
        """A number that stands for the visitor on that day only."""
        return f"{event.visitor & 0xFFFF_FFFF_FFFF_FFFF:016x}"

    @extend_schema_field({"type": ["number", "null"]})
    def get_revenue(self, event: Event) -> Decimal | None:
        return None if event.amount is None else events.from_amount(event.amount)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        labels = {
            label: serializers.CharField(
                source=f"context.{label}", help_text='"" where unknown.'
            )
            for label in events.Labels._fields
        }
        return {**super().get_fields(), **labels}


class EventQuerySerializer(StrictSerializer):
    """The filters of a site's events. `from` and `to` are days, both included."""

    type = serializers.ChoiceField(EventType.choices, required=False)
    name = serializers.CharField(
        required=False, max_length=2_048, trim_whitespace=False
    )
    to = DayField(required=False)
    limit = serializers.IntegerField(min_value=1, max_value=1_000, default=100)
    cursor = serializers.CharField(required=False)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # `from` is a word of Python's, so that it cannot be declared above.
        return {**super().get_fields(), "from": DayField(required=False)}
