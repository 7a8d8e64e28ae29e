"""The period parameters of a query, resolved to days of a site.

`periods` has the meaning of each period; this module reads the request and the time
zone of the site.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec
from rest_framework import serializers

from analytics.models import Site
from analytics.questions import periods
from krafter import clock
from krafter.errors import Invalid
from krafter.fields import DayField, Fields, StrictSerializer


class FromQuerySerializer(StrictSerializer):
    """`from`, for a serializer that has a field `to`: days, both inclusive."""

    def get_fields(self) -> Fields:
        # `from` is a Python keyword and cannot be a class attribute.
        return {**super().get_fields(), "from": DayField(required=False)}


class PeriodQuerySerializer(FromQuerySerializer):
    """`period`; for `custom` also the days `from` and `to`, both inclusive."""

    period = serializers.ChoiceField(periods.NAMES, default=periods.DEFAULT)
    to = DayField(required=False)


class DaysAnswer(msgspec.Struct):
    first: date = msgspec.field(name="from")
    last: date = msgspec.field(name="to")


def today(site: Site, now: datetime | None = None) -> date:
    return (now or clock.now()).astimezone(site.zone).date()


def days(site: Site, validated: Mapping[str, Any]) -> periods.Days:
    """The days of the site that validated query parameters select.

    Raises Invalid.
    """
    try:
        return periods.resolve(
            validated["period"],
            today=today(site),
            start=validated.get("from"),
            end=validated.get("to"),
        )
    except periods.PeriodError as error:
        raise Invalid({error.parameter: [error.message]}) from None
