"""Calls of MCP tools. Each calls an action of an API view.

Validation, errors and numbers are therefore those of the API.
"""

import io
from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from django.core.handlers.wsgi import WSGIRequest
from django.utils.http import urlencode
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from analytics import events
from analytics.access import tokens
from analytics.access.authentication import site_for
from analytics.models import ApiToken, Site
from analytics.questions.period_query import PeriodQuerySerializer, days
from goals.mcp import protocol
from goals.mcp.tools import TOOLS, Json, Tool
from goals.models import Goal
from krafter.answers import Page
from krafter.errors import Details, Invalid, exception_handler
from krafter.fields import shared
from krafter.parsing import StrictJSONParser
from krafter.rendering import EnvelopeRenderer, encode

_PERIOD = ("period", "from", "to")


class _Unknown(Exception):
    """404 whose details contain the argument that was not found."""

    def __init__(self, details: Details) -> None:
        super().__init__(details)
        self.details = details


def call(token: ApiToken, name: str, arguments: Json) -> Json:
    """Return the result of a tool. API errors are results with `isError`.

    Raises ProtocolError for a tool that does not exist or is not available to this key.
    """
    tool = TOOLS.get(name)
    if tool is None:
        raise protocol.ProtocolError(protocol.UNKNOWN_TOOL, f"Unknown tool: {name}")
    if not tokens.grants(token.scopes, tool.scope):
        message = f"Insufficient scope: {name} needs {tool.scope}"
        raise protocol.ProtocolError(protocol.INSUFFICIENT_SCOPE, message)
    is_error = False
    try:
        body = _answer(tool, token, arguments)
    except _Unknown as unknown:
        body, is_error = {"error": "Not found", "details": unknown.details}, True
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


def _answer(tool: Tool, token: ApiToken, arguments: Json) -> Json:
    """Return the response of the API, with `about`."""
    # Models often send null for arguments that they leave out.
    given = {name: value for name, value in arguments.items() if value is not None}
    is_rehearsed = bool(tool.rehearsal) and _flag(given, "dry_run")
    if tool.name == "update_goal" and _flag(given, "clear_currency"):
        given["currency"] = None
    about: Json = {}
    route: dict[str, str] = {}
    site = goal = None
    if tool.is_of_site:
        site = _site(token, _text(given, "site_key"))
        route["key"] = site.site_key
        about = {"site_key": site.site_key, "timezone": site.timezone}
    if site and tool.is_of_goal:
        goal = _goal(site, _text(given, "goal"))
        route["id"] = str(goal.id)
        about["goal"] = {
            "id": str(goal.id),
            "name": goal.name,
            "currency": goal.currency,
        }
    if site and tool.is_of_name:
        route["id"] = str(_sent_name(site, _text(given, "name")))
    if site:
        _name_goals(site, given)
    if is_rehearsed and tool.rehearsal:
        about["dry_run"] = True
        tool = _rehearsed(tool, tool.rehearsal, given, route)
    answered = _ask(tool, token, given, route)
    if site and "period" in tool.fields:
        asked = {name: given[name] for name in _PERIOD if name in given}
        validated = shared(PeriodQuerySerializer).run_validation(asked)
        about["period"] = _shown(days(site, validated, is_kept=True))
    if isinstance(answered, Page):
        body = {"data": answered.data, "next_cursor": answered.next_cursor}
    else:
        body = {"data": answered}
    return {**body, "about": about} if about else body


def _shown(period: tuple[date, date]) -> Json:
    return dict(zip(("from", "to"), map(str, period), strict=True))


def _rehearsed(tool: Tool, rehearsal: Tool, given: Json, route: dict[str, str]) -> Tool:
    """Return the tool that answers a dry run, with its arguments."""
    # There is nothing to confirm.
    for name in tool.parameters:
        given.pop(name, None)
    if "goal" in rehearsal.fields and "id" in route:
        given["goal"] = route.pop("id")
    return rehearsal


def _flag(given: Json, name: str) -> bool:
    value = given.pop(name, False)
    if not isinstance(value, bool):
        raise Invalid({name: ["Must be true or false."]})
    return value


def _text(given: Json, name: str) -> str:
    value = given.pop(name, None)
    if not isinstance(value, str):
        raise Invalid({name: ["This field is required and must be a string."]})
    return value


def _site(token: ApiToken, key: str) -> Site:
    request = _request("GET", {}, {}, ())
    request.auth = token
    try:
        return site_for(request, key)
    except NotFound:
        said = "No such site for this API key. Call list_sites for the available sites."
        raise _Unknown({"site_key": [said]}) from None


def _goal(site: Site, named: str, argument: str = "goal") -> Goal:
    """Return the site's goal with this id, or otherwise with this name."""
    goals = site.goals.undeleted()
    try:
        found = list(goals.filter(id=UUID(named))[:1])
    except ValueError:
        found = []
    # PostgreSQL takes no NUL in a text, and no name has one.
    if not found and "\0" not in named:
        found = list(goals.filter(name=named)[:10])
    if not found:
        said = f"No such goal on this site. Call list_goals for {site.site_key}."
        raise _Unknown({argument: [said]})
    if len(found) > 1:
        ids = ", ".join(str(goal.id) for goal in found)
        raise Invalid(
            {argument: [f"Several goals have this name. Send one of the ids: {ids}."]}
        )
    found[0].site = site
    return found[0]


def _sent_name(site: Site, named: str) -> UUID:
    """Return the id of a sent name, given its id or the name itself."""
    try:
        found = events.name_of_digest(site.pk, UUID(named).bytes)
    except ValueError:
        found = None
    if found is not None:
        return UUID(named)
    types = events.types_of_name(site.pk, named)
    if not types:
        said = f"No such name on this site. Call list_names for {site.site_key}."
        raise _Unknown({"name": [said]})
    if len(types) > 1:
        ids = ", ".join(f"{type} {UUID(bytes=id)}" for type, id in types.items())
        raise Invalid(
            {"name": [f"Several types have this name. Send one of the ids: {ids}."]}
        )
    (digest,) = types.values()
    return UUID(bytes=digest)


def _name_goals(site: Site, given: Json) -> None:
    """Replace the names of other goals in the arguments by their ids."""
    for name in ("goal", "of"):
        if isinstance(given.get(name), str):
            given[name] = str(_goal(site, given[name], name).id)
    steps = given.get("steps")
    for index, step in enumerate(steps if isinstance(steps, list) else ()):
        if isinstance(step, dict) and isinstance(step.get("goal"), str):
            place = f"steps.{index}.goal"
            step["goal"] = str(_goal(site, step["goal"], place).id)


def _ask(tool: Tool, token: ApiToken, given: Json, route: Mapping[str, str]) -> Any:
    in_query = {
        name: value
        for name, value in given.items()
        if tool.method == "GET" or name in tool.parameters
    }
    in_body = {name: value for name, value in given.items() if name not in in_query}
    request = _request(tool.method, in_query, in_body, tool.view.parser_classes)
    request.auth = token
    request.accepted_renderer = EnvelopeRenderer()
    view = tool.view(
        action=tool.action, request=request, kwargs=route, format_kwarg=None
    )
    return getattr(view, tool.action)(request, **route).data


def _request(
    method: str, in_query: Mapping[str, Any], in_body: Mapping[str, Any], parsers: Any
) -> Request:
    """Return an HTTP request with these parameters, for the view."""
    if wrong := [k for k, v in in_query.items() if not isinstance(v, str | int)]:
        raise Invalid({name: ["Must be a string or a number."] for name in wrong})
    environ: Json = {"REQUEST_METHOD": method, "PATH_INFO": "/"}
    environ["QUERY_STRING"] = urlencode(in_query)
    body = b""
    if method not in ("GET", "DELETE"):
        body = encode(in_body)
        environ["CONTENT_TYPE"] = StrictJSONParser.media_type
    elif in_body:
        raise Invalid({name: ["Unknown field."] for name in in_body})
    environ |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    return Request(WSGIRequest(environ), parsers=[parser() for parser in parsers])
