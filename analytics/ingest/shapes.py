"""The fields of an event as it is sent, with their limits. Pure.

The structs are the JSON schemas of the OpenAPI document; `payloads` decodes bodies
into them and checks what is in them.
"""

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from analytics.currencies import CODE
from analytics.events.amount_units import MAX_AMOUNT
from analytics.ingest import pages
from analytics.ingest.user_agents import MAX_LABEL
from analytics.questions.labels import DEVICES

MAX_URL = 2_048
MAX_NAME = 1_024
MAX_EVENT_ID = 64
MAX_PROPS = 30
MAX_PROP = 1_024


def _limit(**said: Any) -> Meta:
    """Limits for the OpenAPI document, which `over_long` and `wrong` check.

    msgspec's own limits would end decoding at the first wrong field, but a response
    names all wrong fields. A tracker's event may be longer; its values are cut.
    """
    return Meta(extra_json_schema=said)


# PostgreSQL stores no NUL in a text.
_NO_NUL = r"^[^\x00]*$"
_Name = Annotated[str, _limit(maxLength=MAX_NAME, pattern=_NO_NUL)]
_Url = Annotated[str, _limit(maxLength=MAX_URL, pattern=_NO_NUL)]
_Id = Annotated[str, _limit(minLength=1, maxLength=MAX_EVENT_ID, pattern=_NO_NUL)]
_OwnId = Annotated[
    _Id | None,
    Meta(
        description="An id of your choice. Events sent again with the"
        " same id are counted once."
    ),
]
_Prop = Annotated[str, _limit(maxLength=MAX_PROP, pattern=_NO_NUL)]
_Visitor = Annotated[str, _limit(minLength=1, maxLength=MAX_PROP, pattern=_NO_NUL)]
_Text = Annotated[str, _limit(pattern=_NO_NUL)]
_Label = Annotated[str, _limit(maxLength=MAX_LABEL, pattern=_NO_NUL)]
_CampaignLabel = Annotated[
    Annotated[str, _limit(maxLength=pages.MAX_LABEL, pattern=_NO_NUL)] | None,
    Meta(description="Replaces the campaign label in the URL."),
]
_Country = Annotated[str, _limit(pattern="^[A-Z]{2}$")]
_Device = Annotated[str, _limit(pattern=f"^({'|'.join(DEVICES)})$")]
_Currency = Annotated[str, _limit(pattern=CODE)]
_When = Annotated[
    Annotated[str, _limit(format="date-time")] | int | float | None,
    Meta(
        description="Time of the event: ISO 8601 with an offset (`Z`, `+01:00`,"
        " `+0100` or `+01`), or a Unix timestamp in seconds. Numbers from"
        " 100000000000 on are read as milliseconds. At most 24 hours in the future."
        " Digits beyond microseconds are cut. Defaults to the current time."
    ),
]
_DECIMAL: dict[str, Any] = {
    "type": "string",
    "pattern": r"^[0-9]{1,12}(\.[0-9]{1,4})?$",
}
_NUMBER: dict[str, Any] = {"type": "number", "maximum": int(MAX_AMOUNT)}
_Amount = Annotated[Decimal, _limit(anyOf=[_NUMBER | {"minimum": 0}, _DECIMAL])]
_Refunded = Annotated[
    Decimal, _limit(anyOf=[_NUMBER | {"exclusiveMinimum": 0}, _DECIMAL])
]
_PropValue = _Prop | int | float | bool | None
_Props = Annotated[dict[_Prop, _PropValue], _limit(maxProperties=MAX_PROPS)]


class Sent(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An event as it is sent: the fields that all senders share."""

    type: Literal["pageview", "event", "goal"]
    name: Annotated[
        _Name | None,
        Meta(
            description="Name of the event or custom goal. Not allowed for a page view."
        ),
    ] = None
    url: Annotated[
        _Url | None, Meta(description="URL of the page. Required for a page view.")
    ] = None
    referrer: Annotated[_Url | None, Meta(description="URL of the previous page.")] = (
        None
    )
    revenue: Annotated[
        _Amount | None,
        Meta(
            description="A number, or a decimal in a string, which preserves every"
            " digit."
        ),
    ] = None
    currency: _Currency | None = None
    props: _Props | None = None
    id: _OwnId = None


class TrackedEvent(Sent, kw_only=True, forbid_unknown_fields=True):
    site: Annotated[str, Meta(description="The site's public key.")]


# An event sent by a server, which can say when it happened and whose it was.
class ServerEvent(Sent, kw_only=True, forbid_unknown_fields=True):
    timestamp: _When = None
    visitor_id: Annotated[
        _Visitor | None,
        Meta(
            description="Your identifier of the visitor. An alternative to `ip` and"
            " `user_agent`. Not stored."
        ),
    ] = None
    ip: Annotated[
        str | None,
        Meta(
            description="Used to identify the visitor and to derive labels. Not stored."
        ),
    ] = None
    user_agent: Annotated[
        str | None,
        Meta(
            description="Used to identify the visitor and to derive labels. Not stored."
        ),
    ] = None
    country: Annotated[
        _Country | None,
        Meta(description="ISO 3166 country code. Defaults to the country of `ip`."),
    ] = None
    device: Annotated[
        _Device | None,
        Meta(description="Defaults to the value derived from `user_agent`."),
    ] = None
    browser: Annotated[
        _Label | None,
        Meta(description="Defaults to the value derived from `user_agent`."),
    ] = None
    os: Annotated[
        _Label | None,
        Meta(description="Defaults to the value derived from `user_agent`."),
    ] = None
    utm_source: _CampaignLabel = None
    utm_medium: _CampaignLabel = None
    utm_campaign: _CampaignLabel = None
    utm_term: _CampaignLabel = None
    utm_content: _CampaignLabel = None
    # With an event's id the whole is a Refund.
    refund_of: None = None


class AnyEvent(ServerEvent, kw_only=True, forbid_unknown_fields=True):
    site: Annotated[str | None, Meta(description="The site's public key.")] = None


_OfTheEvent = Annotated[
    _Text | None,
    Meta(description="Optional. Must equal the value of the refunded event."),
]


# A refund; visitor, page and labels are those of the event.
class Refund(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    refund_of: Annotated[_Text, Meta(description="The `id` of the event to refund.")]
    revenue: Annotated[
        _Refunded,
        Meta(
            description="The amount to refund. At most the amount of the"
            " event that has not been refunded yet."
        ),
    ]
    currency: _OfTheEvent = None
    id: _OwnId = None
    timestamp: _When = None
    type: _OfTheEvent = None
    name: _OfTheEvent = None
