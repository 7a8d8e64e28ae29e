"""What the OpenAPI document says of sites, events and keys.

No serializer reads events: their fields are those of the structs in `ingest`,
and one without a description here fails the generation of the document.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from analytics import events
from analytics.access.serializers import NewTokenSerializer, TokenSerializer
from analytics.ingest import collect, payloads
from analytics.ingest.serializers import EventQuerySerializer, EventSerializer
from analytics.models import Event
from analytics.questions.period_query import PeriodQuerySerializer
from analytics.traffic.serializers import (
    DropsSerializer,
    RealtimeSerializer,
    SiteStatsQuerySerializer,
    SiteStatsSerializer,
)
from analytics.traffic.site_stats import DIMENSIONS
from krafter.openapi.operations import (
    IDEMPOTENCY_KEY,
    AnswerSerializer,
    Operation,
    Schema,
    WholeSerializer,
    page_of,
    reference,
)

_NO_NUL = r"^[^\x00]*$"
_NULL: Schema = {"type": "null"}


def _text(longest: int | None = None, shortest: int = 0, **more: Any) -> Schema:
    bounds = {"minLength": shortest or None, "maxLength": longest}
    said = {name: bound for name, bound in bounds.items() if bound is not None}
    return {"type": "string", **said, "pattern": _NO_NUL, **more}


_REVENUE: Schema = {
    "description": "A number, or one in a string for every decimal to count.",
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": int(events.MAX_AMOUNT)},
        {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,4})?$"},
    ],
}
_PROP: Schema = {
    "anyOf": [
        _text(payloads.MAX_PROP),
        {"type": "number"},
        {"type": "boolean"},
        _NULL,
    ]
}
_FIELDS: dict[str, Schema] = {
    "type": reference("EventType"),
    "name": _text(
        payloads.MAX_NAME, description="Of the event or goal; not for a page view."
    ),
    "url": _text(payloads.MAX_URL, description="The page: required for a page view."),
    "referrer": _text(payloads.MAX_URL, description="URL of the page before."),
    "revenue": _REVENUE,
    "currency": reference("Currency"),
    "props": {
        "type": "object",
        "maxProperties": payloads.MAX_PROPS,
        "propertyNames": _text(payloads.MAX_PROP),
        "additionalProperties": _PROP,
    },
    "id": _text(
        payloads.MAX_EVENT_ID,
        1,
        description="Your own: what repeats it is counted once.",
    ),
    "site": {"type": "string", "description": "The site's public key."},
    "timestamp": {
        "type": "string",
        "format": "date-time",
        "description": "With an offset; at most 24 hours ahead. Now, if left out.",
    },
    "visitor_id": _text(
        payloads.MAX_PROP, 1, description="Or else `ip` and `user_agent`. Not stored."
    ),
    "ip": {"type": "string", "description": "Not stored."},
    "user_agent": {"type": "string", "description": "Not stored."},
    "refund_of": _text(description="The `id` of the event that is given back."),
}


def _body(struct: type[msgspec.Struct], **changed: Schema) -> Schema:
    """The schema of a body that is decoded into this struct."""
    properties, required = {}, []
    for field in msgspec.structs.fields(struct):
        schema = changed.get(field.name, _FIELDS[field.name])
        if schema == _NULL:
            # There to tell it from another body. Some generators know no such type.
            continue
        if field.required:
            required.append(field.name)
        elif isinstance(schema.get("type"), str):
            schema = {**schema, "type": [schema["type"], "null"]}
        else:
            schema = {**_aside(schema), "anyOf": [*_choices(schema), _NULL]}
        properties[field.name] = schema
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _aside(schema: Schema) -> Schema:
    return {name: schema[name] for name in schema.keys() - {"anyOf", "$ref"}}


def _choices(schema: Schema) -> list[Schema]:
    return schema.get("anyOf") or [schema]


def _unbounded(schema: Schema) -> Schema:
    """For the tracker: what is too long is dropped, not refused."""
    return {name: value for name, value in schema.items() if name != "maxLength"}


def _schemas() -> dict[str, Schema]:
    texts = {name: _unbounded(schema) for name, schema in _FIELDS.items()}
    props = {**_FIELDS["props"], "propertyNames": _text()}
    props["additionalProperties"] = {
        "anyOf": [_unbounded(schema) for schema in _PROP["anyOf"]]
    }
    number = {"exclusiveMinimum": 0, "maximum": int(events.MAX_AMOUNT)}
    amount = {
        "description": "At most what is left of the event's.",
        "anyOf": [{"type": "number", **number}, _REVENUE["anyOf"][1]],
    }
    return {
        "TrackedEvent": _body(payloads.SentByTracker, **{**texts, "props": props}),
        "ServerEvent": _body(payloads.SentByServer, refund_of=_NULL),
        "AnyEvent": _body(payloads.SentByAnyone, refund_of=_NULL),
        "Refund": _body(
            payloads.SentRefund,
            revenue=amount,
            currency=_text(description="Must be that of the event, if given."),
            type=_text(description="Must be that of the event, if given."),
            name=_text(description="Must be that of the event, if given."),
        ),
        "Sent": {
            "anyOf": [
                reference("ServerEvent"),
                reference("Refund"),
                reference("EventBatch"),
            ]
        },
        "EventBatch": {
            "type": "object",
            "properties": {
                "events": {
                    "type": "array",
                    "description": "Of ServerEvent and Refund. Each is judged by"
                    " itself: what is neither is answered `rejected`.",
                    "items": {},
                    "minItems": 1,
                    "maxItems": payloads.MAX_BATCH,
                }
            },
            "required": ["events"],
            "additionalProperties": False,
        },
    }


def add_bodies(result: Schema, **_: Any) -> Schema:
    """drf-spectacular's hook: the schemas that this module refers to."""
    result["components"]["schemas"] |= _schemas()
    return result


OUTCOMES = ["accepted", "duplicate", "rejected"]


class EventOutcomeSerializer(AnswerSerializer):
    """What became of one event."""

    status = serializers.ChoiceField(OUTCOMES)
    details = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="Of one that was rejected: messages by field.",
    )


class CollectedSerializer(WholeSerializer):
    ok = serializers.BooleanField()
    dropped = serializers.CharField(
        required=False,
        allow_null=True,
        help_text="With `debug=1`: the rule that dropped the event, if one did.",
    )


class CollectViewSet(GenericViewSet[Event]):
    """Stands for `collect`, which is no view of DRF's, in the document only."""

    queryset = Event.objects.none()
    authentication_classes = ()
    permission_classes = ()

    def collect(self, request: Request) -> Response:
        raise NotImplementedError


Endpoint = tuple[str, str, str, Callable[..., Any]]


def add_collect(endpoints: list[Endpoint]) -> list[Endpoint]:
    """drf-spectacular's hook: the one endpoint beneath Django's routing."""
    view = CollectViewSet.as_view({"post": "collect"})
    return [*endpoints, (collect.PATH, collect.PATH, "POST", view)]


_TRACKED = {
    "site": "sk_abc123def456",
    "type": "goal",
    "name": "purchase",
    "url": "https://example.com/cart",
    "revenue": 49.99,
    "currency": "USD",
}
_ANY = "|".join(DIMENSIONS)

OPERATIONS = {
    "collect": Operation(
        summary="Take an event from a page",
        description="What the tracker calls: from any origin, without a key. The"
        " answer is the same whether the event is kept or dropped by a rule, and is"
        " sent once it is stored. A body is at most 8 KiB.",
        parameters=(
            OpenApiParameter(
                "debug", description="`1`: name the rule that dropped it."
            ),
        ),
        body={
            media_type: reference("TrackedEvent")
            for media_type in ("text/plain", "application/json")
        },
        answer=CollectedSerializer,
        status=202,
        errors=(400, 413, 422, 429, 500, 503),
    ),
    "events_list": Operation(
        query=EventQuerySerializer, answer=page_of(EventSerializer)
    ),
    "events_create": Operation(
        summary="Send events from a server",
        description="One event or refund, or a batch in which a wrong one fails no"
        " other. As NDJSON, one of them a line.",
        parameters=(IDEMPOTENCY_KEY,),
        body={
            "application/json": reference("Sent"),
            "application/x-ndjson": {"type": "string"},
        },
        answer=EventOutcomeSerializer(many=True),
    ),
    "sites_create": Operation(headers=("Location",)),
    "sites_stats": Operation(
        summary="How much a site was visited",
        query=SiteStatsQuerySerializer,
        parameters=(
            OpenApiParameter(
                "dimensions",
                {"type": "string", "pattern": f"^({_ANY})(,({_ANY}))*$"},
                description="Names, separated by commas.",
            ),
        ),
        answer=SiteStatsSerializer,
    ),
    "sites_realtime": Operation(
        summary="Who was there in the last 5 minutes",
        answer=RealtimeSerializer,
        errors=(422,),
    ),
    "sites_drops": Operation(
        summary="How many events each rule dropped",
        description="Why events that a page sent are not counted. Rules in the order"
        " in which they are asked; the first that holds drops an event.",
        query=PeriodQuerySerializer,
        answer=DropsSerializer,
    ),
    "tokens_create": Operation(answer=NewTokenSerializer, status=201),
    "tokens_revoke": Operation(
        summary="End a key for good", body=None, answer=TokenSerializer
    ),
    "tokens_rotate": Operation(
        summary="Give a key a new secret",
        description="The key with the old one is revoked.",
        body=None,
        answer=NewTokenSerializer,
        status=201,
        errors=(422,),
    ),
}
