"""The parts of an operation's OpenAPI description that its view does not define.

Each package has a module `openapi` with the operations of its views. The views have
them as `operations`, by action; `krafter.openapi.schema` reads them.
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
    """The description of one operation, kept apart from the view to keep the view
    short.

    `id` is needed if resource and action would give two operations the same name.
    `query` is the serializer of the parameters, `filters` the FilterSet of a list.
    `body` and `answer` default to the view's serializer. A body may be None for no
    body, or schemas and structs by media type; an answer may be a struct, a list of
    one, or several by status. `parts` are structs that a schema refers to. `sent` and
    `answered` are examples, without the envelope. `errors`, and the `headers` of the
    answer, are added to the usual ones.
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
