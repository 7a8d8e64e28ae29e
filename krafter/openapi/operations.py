"""What the OpenAPI document says of an operation that its view does not.

The tables of the apps are written with these words; `krafter.openapi.schema`
reads them.
"""

from dataclasses import dataclass
from typing import Any

from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    extend_schema_serializer,
)
from rest_framework import serializers
from rest_framework.fields import empty

Schema = dict[str, Any]
AnswerSerializer = serializers.Serializer[Any]


class WholeSerializer(AnswerSerializer):
    """An answer that is not put into the envelope."""


@extend_schema_serializer(many=False)
class PageSerializer(WholeSerializer):
    next_cursor = serializers.CharField(
        allow_null=True,
        help_text="The `cursor` of the next page; null on the last one.",
    )


def page_of(item: type[serializers.BaseSerializer[Any]]) -> type[PageSerializer]:
    """The answer of a paged list."""
    name = item.__name__.removesuffix("Serializer") + "PageSerializer"
    return type(name, (PageSerializer,), {"data": item(many=True)})


@extend_schema_serializer(
    component_name="Deletion", examples=[OpenApiExample("Deleted", {"deleted": True})]
)
class DeletionSerializer(AnswerSerializer):
    deleted = serializers.BooleanField()


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One row: apart from the views, so that these stay short.

    `query` is the serializer of the parameters, `filters` the FilterSet of a
    list. `body` and `answer` are those of the view unless given; a body may be
    None for none, or schemas by media type; an answer may be several by status.
    `sent` and `answered` are examples, without the envelope. `errors`, and the
    answer's `headers`, come on top of the usual.
    """

    summary: str = ""
    description: str = ""
    query: Any = None
    filters: Any = None
    parameters: tuple[OpenApiParameter, ...] = ()
    body: Any = empty
    answer: Any = None
    status: int = 200
    sent: Schema | None = None
    answered: Any = None
    errors: tuple[int, ...] = ()
    headers: tuple[str, ...] = ()


IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[!-~]{1,255}$"},
    OpenApiParameter.HEADER,
    description="Your name for the request: it is done once, however often it comes.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag with which you have seen it: refused if it has changed.",
)


def reference(component: str) -> Schema:
    return {"$ref": f"#/components/schemas/{component}"}
