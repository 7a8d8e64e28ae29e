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
        help_text="Where the page before ended: `next.cursor` of its last line.",
    )


class ImportQuerySerializer(StrictSerializer):
    new_keys = ChoiceField(
        ("true", "false"),
        default="false",
        help_text="Of the first page: give sites whose key exists here another one,"
        " which their pages must then send.",
    )


class MovedSite(msgspec.Struct):
    """A site of a stream, and how much of it is here."""

    key: Annotated[str, Meta(description="Its key where it comes from.")]
    site_key: Annotated[str, Meta(description="Its key here.")]
    events: Annotated[int, Meta(description="How many events of it are in.")]
    refunds: Annotated[int, Meta(description="How many refunds of it are in.")]
    complete: Annotated[
        bool, Meta(description="Whether it is whole: until then it is hidden.")
    ]


class MoveAnswer(msgspec.Struct):
    """How much of a stream is here."""

    stream: Annotated[UUID, Meta(description="The `id` of the manifest.")]
    pages: Annotated[int, Meta(description="How many are in: the number of the next.")]
    complete: Annotated[bool, Meta(description="Whether the last page is in.")]
    sites: Annotated[list[MovedSite], Meta(description="Those that have begun.")]


class ExportViewSet(ContractViewSet[Team]):
    queryset = Team.objects.none()
    renderer_classes = (NdjsonRenderer, EnvelopeRenderer)
    operations: ClassVar = {
        "export": Operation(
            id="team_export",
            summary="Export the team of the key, page by page",
            description="Lines of JSON, about 4 MiB a page: sites with their settings,"
            " goals, events, refunds and kept days, as docs/data.md describes them. The"
            ' last line of a page is `{"next": {"cursor": …}}`, of the last page'
            ' `{"end": …}`: one without either was cut off, and can be asked for again.'
            " All pages one after the other are the file that `import_team` takes.",
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
            raise Conflict(f"{error} Begin anew, without a cursor.") from None
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
            summary="Import a page of another team's export",
            description="Pages are sent in their order, each as it was exported, at"
            " most 8 MiB. One that is in already adds nothing, so that whoever lost an"
            " answer sends its page again; any other than the next is 409. A site is"
            " hidden until it is whole. Exchange rates are the installation's: those of"
            " the stream are left out.",
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
