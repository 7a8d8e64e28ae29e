"""The descriptions of previews and explanations in the OpenAPI document."""

from analytics.ingest.shapes import AnyEvent
from goals.drafts.drafts import PreviewBodySerializer
from goals.drafts.explain import Explanation
from goals.drafts.preview import Preview
from krafter.openapi.operations import Operation

PREVIEW = {
    "preview": Operation(
        summary="Preview a new goal or an edit",
        description="Send a draft, which is a goal without an id and whose name is"
        " optional. To preview an edit, send the id of an existing goal as `goal` and"
        " only the fields to change. `hints` explain why a rule cannot match or is"
        " unlikely to match, and suggest a correction. `overlaps` lists other goals"
        " that count some of the same names.",
        body=PreviewBodySerializer,
        answer=Preview,
    ),
}

EXPLAIN = {
    "explain": Operation(
        summary="Explain which goals match an event",
        body={"application/json": AnyEvent},
        answer=Explanation,
    )
}
