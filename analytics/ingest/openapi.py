"""The parts of the OpenAPI document on events, sent and stored.

Bodies are described by the structs that decode them, in `payloads`.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar

import msgspec
from drf_spectacular.utils import OpenApiParameter
from msgspec import Meta

from analytics.access.openapi import IDEMPOTENCY_KEY
from analytics.ingest import collect, payloads, shapes
from analytics.ingest.answers import CollectedAnswer, EventAnswer, EventOutcome
from analytics.ingest.serializers import EventQuerySerializer
from analytics.models import Event
from krafter.answers import Page
from krafter.openapi.operations import Operation, Operations, Schema, reference
from krafter.views import ContractViewSet

_ITEMS = [shapes.ServerEvent, shapes.Refund]


def _one_of(structs: Sequence[type]) -> list[Schema]:
    return [reference(struct.__name__) for struct in structs]


class EventBatch(msgspec.Struct, forbid_unknown_fields=True):
    events: Annotated[
        list[Any],
        Meta(
            min_length=1,
            max_length=payloads.MAX_BATCH,
            extra_json_schema={"items": {"oneOf": _one_of(_ITEMS)}},
            description="Each item is validated separately. An invalid item is"
            " answered with `rejected` and does not affect the others.",
        ),
    ]


_SENT = [*_ITEMS, EventBatch]


def add_bodies(result: Schema, **_: object) -> Schema:
    """drf-spectacular's hook: rules on bodies of events that structs cannot express."""
    schemas = result["components"]["schemas"]
    schemas["Sent"] = {"oneOf": _one_of(_SENT)}
    # Texts of a tracker's event that are too long are cut, not refused.
    schemas["TrackedEvent"] = _unbounded(schemas["TrackedEvent"])
    return result


def _unbounded(node: object) -> object:
    match node:
        case dict():
            return {
                name: _unbounded(inner)
                for name, inner in node.items()
                if name != "maxLength"
            }
        case list():
            return [_unbounded(inner) for inner in node]
    return node


class CollectViewSet(ContractViewSet[Event]):
    """Stands for `collect`, which is no view of DRF's, in the document only."""

    queryset = Event.objects.none()
    authentication_classes = ()
    permission_classes = ()
    operations: ClassVar[Operations] = {
        "collect": Operation(
            id="collect",
            summary="Collect an event from a page",
            description="The endpoint that the tracker calls. It accepts requests"
            " from any origin and needs no API key. The response is the same whether"
            " the event is stored or dropped by a rule, and is sent after the event"
            " has been stored. A body may have at most 8 KiB. `POST /a` does the same"
            " for the tracker's compact format, which docs/tracker.md describes.",
            parameters=(
                OpenApiParameter(
                    "debug",
                    description="`1`: the response names the rule that"
                    " dropped the event.",
                ),
            ),
            body={
                "application/json": shapes.TrackedEvent,
                # A type that a page may send to another origin without a preflight.
                "text/plain": {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": reference("TrackedEvent"),
                },
            },
            answer=CollectedAnswer,
            status=202,
            errors=(400, 413, 422, 429, 500, 503),
        )
    }

    def collect(self) -> None:
        raise NotImplementedError


Endpoint = tuple[str, str, str, Callable[..., Any]]


def add_collect(endpoints: list[Endpoint]) -> list[Endpoint]:
    """drf-spectacular's hook: the one endpoint beneath Django's routing."""
    view = CollectViewSet.as_view({"post": "collect"})
    return [*endpoints, (collect.PATH, collect.PATH, "POST", view)]


EVENTS: Operations = {
    "list": Operation(
        query=EventQuerySerializer,
        answer=Page[EventAnswer],  # type: ignore[valid-type] # a struct that is made
    ),
    "create": Operation(
        summary="Send events from a server",
        description="Accepts one event, one refund, or a batch. An invalid item in a"
        " batch does not affect the other items. An NDJSON body has one event or"
        " refund per line.",
        parameters=(IDEMPOTENCY_KEY,),
        body={
            "application/json": reference("Sent"),
            "application/x-ndjson": {"type": "string"},
        },
        parts=tuple(_SENT),
        answer=list[EventOutcome],
    ),
}
