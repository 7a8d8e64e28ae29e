"""The MCP tools. Each calls the action of an API view.

So validation, errors and figures are those of the API.
"""

import io
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.core.handlers.wsgi import WSGIRequest
from rest_framework import serializers
from rest_framework.request import Request

from analytics.models import ApiToken
from analytics.sites.views import SiteViewSet
from goals.drafts.drafts import PreviewBodySerializer
from goals.drafts.views import PreviewViewSet
from goals.reports.questions import (
    BreakdownQuestionSerializer,
    StatsQuestionSerializer,
    TimeseriesQuestionSerializer,
)
from goals.reports.views import GoalReportViewSet
from goals.serializers import GoalSerializer
from goals.views import GoalViewSet
from krafter.errors import Invalid, exception_handler
from krafter.fields import AnyField, DayField, Fields, StrictSerializer, TextField
from krafter.parsing import StrictJSONParser
from krafter.rendering import encode

Json = dict[str, Any]

_PATH = {
    "site_key": ("key", "The site's key, sk_…, from list_sites."),
    "goal_id": ("id", "The goal's id, from list_goals."),
}


class GoalListSerializer(StrictSerializer):
    """The optional filters of the list of goals."""

    search = TextField(required=False, help_text="In name or match value.")

    def get_fields(self) -> Fields:
        goal = GoalSerializer().get_fields()
        chosen = {name: goal[name] for name in ("type", "match_type", "currency")}
        for field in chosen.values():
            field.required = False
        return {**chosen, **super().get_fields()}


class Tool(NamedTuple):
    """`path`: arguments in the path; `fields`: those of the query or body."""

    name: str
    title: str
    description: str
    view: type[Any]
    action: str
    path: tuple[str, ...] = ()
    fields: type[serializers.Serializer[Any]] | None = None
    method: str = "GET"

    def described(self) -> Json:
        properties: Json = {
            name: {"type": "string", "description": _PATH[name][1]}
            for name in self.path
        }
        required = list(self.path)
        for name, field in (self.fields().fields if self.fields else {}).items():
            if not field.read_only:
                properties[name] = _schema(field)
                required += [name] if field.required else []
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": {
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": False,
            },
            "annotations": {
                "readOnlyHint": True,
                "idempotentHint": True,
                "openWorldHint": False,
            },
        }


_SITE, _GOAL = ("site_key",), ("site_key", "goal_id")
TOOLS = {
    tool.name: tool
    for tool in (
        Tool(
            "list_sites",
            "List sites",
            "The sites that this API key may access, with their site keys.",
            SiteViewSet,
            "list",
        ),
        Tool(
            "list_goals",
            "List goals",
            "A site's goals: which events count as conversions.",
            GoalViewSet,
            "list",
            _SITE,
            GoalListSerializer,
        ),
        Tool(
            "goal_stats",
            "Count conversions",
            "How many conversions a goal had in a period, by how many visitors, and"
            " their revenue in the goal's currency. A visitor counts once a day.",
            GoalViewSet,
            "stats",
            _GOAL,
            StatsQuestionSerializer,
        ),
        Tool(
            "goal_timeseries",
            "Conversions over time",
            "A goal's conversions, visitors and revenue by hour, day, week or month.",
            GoalReportViewSet,
            "timeseries",
            _GOAL,
            TimeseriesQuestionSerializer,
        ),
        Tool(
            "goal_breakdown",
            "Conversions by a dimension",
            "A goal's conversions by page, country, device, browser, system,"
            " referrer, campaign, or a property (props.<key>).",
            GoalReportViewSet,
            "breakdown",
            _GOAL,
            BreakdownQuestionSerializer,
        ),
        Tool(
            "preview_goal",
            "Preview a goal",
            "What a goal would count, and which names it would match, before it is"
            " created; with `goal`, the id of one, what an edit of it would win and"
            " lose. Nothing is stored.",
            PreviewViewSet,
            "preview",
            _SITE,
            PreviewBodySerializer,
            "POST",
        ),
    )
}


def _schema(field: AnyField) -> Json:
    schema: Json = {"type": "string"}
    match field:
        case serializers.ChoiceField():
            schema["enum"] = list(field.choices)
        case DayField():
            schema["format"] = "date"
        case serializers.UUIDField():
            schema["format"] = "uuid"
        case serializers.IntegerField():
            bounds = {"minimum": field.min_value, "maximum": field.max_value}
            schema = {"type": "integer", **bounds}
    if isinstance(field.default, str | int):
        schema["default"] = field.default
    if field.help_text:
        schema["description"] = str(field.help_text)
    return schema


def call(token: ApiToken, name: str, arguments: Json) -> Json:
    """The result of a tool. API errors are results with `isError`."""
    tool = TOOLS[name]
    try:
        body: Json = {"data": _ask(tool, token, arguments)}
        is_error = False
    except Exception as error:
        response = exception_handler(error, {})
        if response is None:
            raise
        body, is_error = response.data, True
    return {
        "content": [{"type": "text", "text": encode(body).decode()}],
        "structuredContent": body,
        "isError": is_error,
    }


def _ask(tool: Tool, token: ApiToken, arguments: Json) -> Any:
    # Models often send null for arguments that they leave out.
    given = {name: value for name, value in arguments.items() if value is not None}
    route = {}
    for name in tool.path:
        value = given.pop(name, None)
        if not isinstance(value, str):
            raise Invalid({name: ["This field is required, as a text."]})
        route[_PATH[name][0]] = value
    request = _request(tool.method, given)
    request.auth = token
    view = tool.view(
        action=tool.action, request=request, kwargs=route, format_kwarg=None
    )
    return getattr(view, tool.action)(request, **route).data


def _request(method: str, given: Mapping[str, Any]) -> Request:
    """An HTTP request with these parameters, for the view."""
    environ: Json = {"REQUEST_METHOD": method, "PATH_INFO": "/"}
    body = b""
    if method == "GET":
        if wrong := [k for k, v in given.items() if not isinstance(v, str | int)]:
            raise Invalid({name: ["Must be a text or a number."] for name in wrong})
        environ["QUERY_STRING"] = urlencode(given)
    else:
        body = encode(given)
        environ["CONTENT_TYPE"] = StrictJSONParser.media_type
    environ |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    return Request(WSGIRequest(environ), parsers=[StrictJSONParser()])
