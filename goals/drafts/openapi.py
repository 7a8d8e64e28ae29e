"""What the OpenAPI document says of questions about goals that are not stored."""

from analytics.ingest.shapes import AnyEvent
from goals.drafts.drafts import PreviewBodySerializer
from goals.drafts.explain import Explanation
from goals.drafts.preview import Preview
from krafter.openapi.operations import Operation

PREVIEW = {
    "preview": Operation(
        summary="What a goal would count, or what an edit would win and lose",
        description="A draft is a goal without an id, its name optional. With `goal`,"
        " the id of one that exists, only the fields to change are given. `hints` say"
        " why a rule cannot match or hardly will, and how it is meant; `overlaps` are"
        " other goals that count some of the names.",
        body=PreviewBodySerializer,
        answer=Preview,
    ),
}

EXPLAIN = {
    "explain": Operation(
        summary="Which goals an event satisfies, and why",
        body={"application/json": AnyEvent},
        answer=Explanation,
    )
}
