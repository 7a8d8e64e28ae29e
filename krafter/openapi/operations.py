"""What the OpenAPI document says of an operation that its view does not.

Each room has a module `openapi` with the operations of its views, which hand
them over as `operations`, by action; `krafter.openapi.schema` reads them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework.fields import empty

Schema = dict[str, Any]
PREFIX = "#/components/schemas/"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One row: apart from the views, so that these stay short.

    `id` is needed where resource and action would name two operations alike.
    `query` is the serializer of the parameters, `filters` the FilterSet of a
    list. `body` and `answer` are the view's serializer unless given. A body may
    be None for none, or schemas and structs by media type; an answer may be a
    struct, a list of one, or several by status. `parts` are structs that a
    schema refers to. `sent` and `answered` are examples, without the envelope.
    `errors`, and the answer's `headers`, come on top of the usual.
    """

    id: str = ""
    summary: str = ""
    description: str = ""
    query: Any = None
    filters: Any = None
    parameters: tuple[OpenApiParameter, ...] = ()
    body: Any = empty
    parts: tuple[type, ...] = ()
    answer: Any = None
    status: int = 200
    sent: Schema | None = None
    answered: Any = None
    errors: tuple[int, ...] = ()
    headers: tuple[str, ...] = ()


# By the action of a view.
Operations = Mapping[str, Operation]

IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag of the version you have read. The request is refused with"
    " 412 if the object has changed since.",
)


def reference(component: str) -> Schema:
    return {"$ref": f"{PREFIX}{component}"}
