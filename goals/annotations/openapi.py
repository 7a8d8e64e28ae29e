"""The descriptions of the operations on annotations in the OpenAPI document."""

from analytics.access.openapi import IDEMPOTENCY_KEY
from goals.annotations.serializers import AnnotationQuerySerializer
from krafter.openapi.operations import Operation

_ANNOTATION = {
    "id": "b1f0c7de-54a8-4a52-8c2e-0d3f6f0a9b11",
    "date": "2026-03-01",
    "text": "The spring sale begins",
    "created_at": "2026-03-01T09:30:00Z",
}

ANNOTATIONS = {
    "list": Operation(
        summary="List annotations",
        description="Notes about days of the site, ordered by day.",
        query=AnnotationQuerySerializer,
        answered=_ANNOTATION,
    ),
    "create": Operation(
        summary="Create an annotation",
        parameters=(IDEMPOTENCY_KEY,),
        sent={"date": _ANNOTATION["date"], "text": _ANNOTATION["text"]},
        answered=_ANNOTATION,
        headers=("Location",),
    ),
    "retrieve": Operation(summary="Get an annotation", answered=_ANNOTATION),
    "partial_update": Operation(
        summary="Update an annotation",
        sent={"text": _ANNOTATION["text"]},
        answered=_ANNOTATION,
    ),
    "destroy": Operation(summary="Delete an annotation"),
}
