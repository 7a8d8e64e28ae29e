"""The API of moving a team: pages of an export, which an import takes in order."""

from collections.abc import Iterator
from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from msgspec import Meta
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.access import audit, tokens
from analytics.lifecycle import export, imports
from analytics.lifecycle.export import Place
from analytics.lifecycle.parts import Refused
from analytics.lifecycle.views import own_team
from analytics.models import Import, Team
from analytics.questions.long_questions import long_question
from krafter import faults
from krafter.errors import Conflict, Invalid
from krafter.fields import ChoiceField, StrictSerializer
from krafter.openapi.operations import Operation
from krafter.parsing import Lines, LinesParser, RawJSONParser
from krafter.rendering import EnvelopeRenderer, NdjsonRenderer
from krafter.views import ContractViewSet, query, raw_body

# Bytes of lines sent together, because each part of a response has a cost.
_BLOCK = 64 * 1024


class ExportQuerySerializer(StrictSerializer):
    cursor = serializers.CharField(
        required=False,
        help_text="The `next.cursor` in the last line of the previous page.",
    )


class ImportQuerySerializer(StrictSerializer):
    new_keys = ChoiceField(
        ("true", "false"),
        default="false",
        help_text="First page only: give each site whose key already exists here a"
        " new key. Its pages must then use the new key.",
    )


class MovedSite(msgspec.Struct):
    """The progress of the import of one site."""

    key: Annotated[str, Meta(description="The site's key in the export.")]
    site_key: Annotated[str, Meta(description="The site's key in this installation.")]
    events: Annotated[int, Meta(description="Number of imported events of the site.")]
    refunds: Annotated[int, Meta(description="Number of imported refunds of the site.")]
    complete: Annotated[
        bool,
        Meta(
            description="Whether the import of the site is complete. The site"
            " is hidden until then."
        ),
    ]


class MoveAnswer(msgspec.Struct):
    """The progress of an import."""

    stream: Annotated[UUID, Meta(description="The `id` in the manifest of the export.")]
    pages: Annotated[
        int,
        Meta(
            description="Number of imported pages, which is also"
            " the number of the next page."
        ),
    ]
    complete: Annotated[
        bool, Meta(description="Whether the last page has been imported.")
    ]
    sites: Annotated[
        list[MovedSite], Meta(description="The sites whose import has begun.")
    ]


class ExportViewSet(ContractViewSet[Team]):
    queryset = Team.objects.none()
    renderer_classes = (NdjsonRenderer, EnvelopeRenderer)
    operations: ClassVar = {
        "export": Operation(
            id="team_export",
            summary="Export the API key's team, page by page",
            description="Returns lines of JSON, about 4 MiB per page: sites with"
            " their settings, goals, events, refunds and stored daily counts, as"
            ' docs/data.md describes. The last line of a page is `{"next": {"cursor":'
            ' …}}`, that of the last page `{"end": …}`. A page that ends with neither'
            " was cut off and can be requested again. All pages concatenated in order"
            " are a file that `import_team` reads.",
            query=ExportQuerySerializer,
            answer={(200, "application/x-ndjson"): str},
            errors=(409,),
        ),
    }
    required_scopes: ClassVar = {"export": tokens.ALL}

    @long_question()
    def export(self, request: Request) -> HttpResponseBase:
        team = own_team(request)
        cursor = query(ExportQuerySerializer, request).get("cursor")
        try:
            place = None if cursor is None else Place.read(cursor)
            stream = export.Stream(team, place)
        except ValueError:
            raise Invalid({"cursor": ["Not a cursor of this list."]}) from None
        except export.Changed as error:
            raise Conflict(f"{error} Start a new export, without a cursor.") from None
        if place is None:
            with faults.unwritten():
                stream_id = audit.made({"stream": stream.place.stream})
                audit.record("team.exported", team, changes=stream_id)
        return StreamingHttpResponse(
            _blocks(stream.page()),
            content_type=f"{NdjsonRenderer.media_type}; charset=utf-8",
        )

    def handle_exception(self, error: Exception) -> Response:
        # An error is JSON, whatever the caller accepts besides.
        self.request.accepted_renderer = EnvelopeRenderer()
        self.request.accepted_media_type = EnvelopeRenderer.media_type
        return super().handle_exception(error)


def _blocks(lines: Iterator[bytes]) -> Iterator[bytes]:
    block = bytearray()
    for line in lines:
        block += line
        if len(block) >= _BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block)


class ImportViewSet(ContractViewSet[Team]):
    queryset = Team.objects.none()
    parser_classes = (LinesParser, RawJSONParser)
    operations: ClassVar = {
        "import_page": Operation(
            id="team_import",
            summary="Import a page of a team's export",
            description="Send the pages in order, each exactly as it was exported and"
            " at most 8 MiB long. A page that has already been imported adds nothing,"
            " so a request whose response was lost can be repeated. Any other page"
            " than the next one is refused with 409. A site stays hidden until it is"
            " complete. Exchange rates in the export are ignored; this installation"
            " uses its own.",
            query=ImportQuerySerializer,
            body={"application/x-ndjson": {"type": "string"}},
            answer=MoveAnswer,
            errors=(409, 422),
        ),
    }
    required_scopes: ClassVar = {"import_page": tokens.ALL}

    @long_question()
    def import_page(self, request: Request) -> Response:
        team = own_team(request)
        asked = query(ImportQuerySerializer, request)
        body = raw_body(request)
        sent = body.body if isinstance(body, Lines) else body
        try:
            page = imports.Page(sent.splitlines(keepends=True))
            new_keys = asked["new_keys"] == "true"
            source = imports.take(team, page, new_keys=new_keys)
        except imports.OutOfOrder as error:
            raise Conflict(str(error)) from None
        except Refused as error:
            raise Invalid({"page": [str(error)]}) from None
        return Response(_moved(source))


def _moved(source: Import) -> MoveAnswer:
    return MoveAnswer(
        source.stream,
        source.pages,
        source.finished_at is not None,
        [
            MovedSite(
                each.key,
                each.site.site_key,
                each.events,
                each.refunds,
                each.finished_at is not None,
            )
            for each in source.sites.select_related("site").order_by("pk")
        ],
    )
