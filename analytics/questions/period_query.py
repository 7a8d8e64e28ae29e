"""The period parameters of a query, resolved to days of a site.

`periods` defines each period; this module reads the request and the time zone of the
site.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from analytics.models import Site
from analytics.questions import comparison, periods
from analytics.questions.comparison import Window
from krafter import clock
from krafter.answers import Moment
from krafter.errors import Invalid
from krafter.fields import ChoiceField, DayField, Fields, StrictSerializer


class FromQuerySerializer(StrictSerializer):
    """`from`, for a serializer that has a field `to`: days, both inclusive."""

    def get_fields(self) -> Fields:
        fields = super().get_fields()
        last = fields.pop("to")
        # `from` is a Python keyword and cannot be a class attribute.
        return {**fields, "from": DayField(required=False), "to": last}


class PeriodQuerySerializer(FromQuerySerializer):
    """`period`; for `custom` also the days `from` and `to`, both inclusive."""

    period = ChoiceField(periods.NAMES, default=periods.DEFAULT)
    to = DayField(required=False)


class CompareQuerySerializer(StrictSerializer):
    compare = ChoiceField(comparison.KINDS, required=False)


class DaysAnswer(msgspec.Struct):
    first: date = msgspec.field(name="from")
    last: date = msgspec.field(name="to")


class EarlierAnswer(msgspec.Struct):
    """The days that a period is compared with."""

    period: DaysAnswer
    until: Annotated[
        Moment | None,
        Meta(
            description="If the current period is not over: the time up to which the"
            " last earlier day is counted, which is the current time of day. Null if"
            " it is counted to its end."
        ),
    ]


def today(site: Site, now: datetime | None = None) -> date:
    return (now or clock.now()).astimezone(site.zone).date()


def days(
    site: Site, validated: Mapping[str, Any], *, is_kept: bool = False
) -> periods.Days:
    """Return the days of the site that validated query parameters select.

    `is_kept`: the query uses stored counts of closed days. Any other query needs
    events, which sealed days no longer have. Raises Invalid.
    """
    try:
        found = periods.resolve(
            validated["period"],
            today=today(site),
            start=validated.get("from"),
            end=validated.get("to"),
        )
    except periods.PeriodError as error:
        raise Invalid({error.parameter: [error.message]}) from None
    if not is_kept:
        parameter = "from" if validated["period"] == "custom" else "period"
        check_has_events(site, found, parameter)
    return found


def compared(
    site: Site,
    validated: Mapping[str, Any],
    days: periods.Days,
    *,
    is_kept: bool,
    interval: str | None = None,
) -> Window | None:
    """Return the days to compare with, or None if the query has no `compare`.

    See `days` for `is_kept`, `comparison.window` for `interval`. Raises Invalid.
    """
    if "compare" not in validated:
        return None
    now = clock.now().astimezone(site.zone).replace(microsecond=0)
    try:
        found = comparison.window(validated["compare"], days, interval, now=now)
    except periods.PeriodError as error:
        raise Invalid({error.parameter: [error.message]}) from None
    if not is_kept:
        check_has_events(site, found.days, "compare")
    elif found.until and found.days.last < (site.sealed_before or date.min):
        raise Invalid({"compare": [_NO_HOURS]})
    return found


_NO_HOURS = (
    "A period that ends today is compared up to the same time of day, but hours of"
    " sealed days are not stored. Choose a period that ends before today."
)


def check_has_events(site: Site, days: periods.Days, parameter: str) -> None:
    """Raise Invalid for this parameter if some days of the period are sealed."""
    border = site.sealed_before
    if border is not None and days.first < border:
        raise Invalid({parameter: [unanswerable(border)]})


def unanswerable(first: date) -> str:
    """Return why a query is refused. `first`: the first day that can be queried."""
    return (
        f"Days before {first} are sealed, and this report was not stored for them."
        f" Days from {first} on can be reported: period=custom&from={first}."
    )
