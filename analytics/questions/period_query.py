"""Which days of a site a query asks about.

`periods` knows what the words mean; here they meet the request and the site's
time zone.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from analytics.models import Site
from analytics.questions import periods
from krafter.errors import Invalid
from krafter.fields import DayField, StrictSerializer


class PeriodQuerySerializer(StrictSerializer):
    """`period`, and for `custom` the days `from` and `to`, both included."""

    period = serializers.ChoiceField(periods.NAMES, default=periods.DEFAULT)
    to = DayField(required=False)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # `from` is a word of Python's, so that it cannot be declared above.
        return {**super().get_fields(), "from": DayField(required=False)}


def today(site: Site, now: datetime | None = None) -> date:
    return (now or timezone.now()).astimezone(site.zone).date()


def days(site: Site, validated: Mapping[str, Any]) -> periods.Days:
    """The days that the validated parameters of a query mean on that site."""
    try:
        return periods.resolve(
            validated["period"],
            today=today(site),
            start=validated.get("from"),
            end=validated.get("to"),
        )
    except periods.PeriodError as error:
        raise Invalid({error.parameter: [error.message]}) from None
