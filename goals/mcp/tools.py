"""The MCP tools: their names, arguments and results.

Each is an operation of the API. The schemas of its arguments and result are taken from
the OpenAPI document; `goals.mcp.calls` calls the tools.
"""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from analytics.access import tokens
from analytics.sites.views import SiteViewSet
from analytics.traffic.views import SiteStatsViewSet
from goals.drafts.views import ExplainViewSet, PreviewViewSet
from goals.reports.views import (
    AllGoalsViewSet,
    ConversionViewSet,
    FunnelViewSet,
    GoalReportViewSet,
)
from goals.sent.views import NameViewSet
from goals.views import GoalViewSet
from krafter.openapi import pages
from krafter.openapi.operations import PREFIX

Json = dict[str, Any]

_SITE_KEY = {"type": "string", "description": "The site's key, sk_…, from list_sites."}
_GOAL = {
    "type": "string",
    "description": "The goal's id or its name, from list_goals.",
}
_NAME = {
    "type": "string",
    "description": "The name's id, from list_names, or the name itself.",
}
_DRY_RUN = {
    "type": "boolean",
    "default": False,
    "description": "Change nothing, and return what the changed goal would count (for a"
    " deletion: the goal that would be deleted).",
}
_CLEAR_CURRENCY = {
    "type": "boolean",
    "default": False,
    "description": "Remove the goal's currency; the goal then has no revenue.",
}
# Parameters of CSV files, which tools do not return.
_OF_FILES = ("delimiter", "bom")
_PROPS = {
    r"^props\..": {
        "type": "string",
        "description": "A property, such as props.plan, used like the other filters.",
    }
}
_ABOUT = {
    "type": "object",
    "description": "The site, period and goal of the result.",
    "properties": {
        "site_key": {"type": "string"},
        "timezone": {"type": "string", "description": "The time zone of the days."},
        "period": {
            "type": "object",
            "description": "First and last day, both included.",
            "properties": {
                "from": {"type": "string", "format": "date"},
                "to": {"type": "string", "format": "date"},
            },
            "required": ["from", "to"],
        },
        "goal": {
            "type": "object",
            "properties": {
                "id": {"type": "string", "format": "uuid"},
                "name": {"type": "string"},
                "currency": {
                    "type": ["string", "null"],
                    "description": "The currency of the revenue, or null.",
                },
            },
            "required": ["id", "name", "currency"],
        },
        "dry_run": {"type": "boolean", "description": "Nothing was changed."},
    },
}
_ERROR = {
    "error": {
        "type": "string",
        "description": "What was wrong; present instead of `data`.",
    },
    "details": {
        "type": "object",
        "description": "The errors of each argument, by its name.",
        "additionalProperties": {"type": "array", "items": {"type": "string"}},
    },
}


class Tool:
    """One operation of the API as a tool.

    `operation` is its id in the OpenAPI document, `view` and `action` its
    implementation. `rehearsal` is the tool that a dry run calls instead.
    """

    def __init__(
        self,
        name: str,
        title: str,
        description: str,
        operation: str,
        view: type[Any],
        action: str,
        rehearsal: "Tool | None" = None,
    ) -> None:
        self.name = name
        self.title = title
        self.description = description
        self.operation = operation
        self.view = view
        self.action = action
        self.rehearsal = rehearsal
        self.scope: str = view.required_scopes[action]
        self.writes = self.scope != "analytics:read"

    @cached_property
    def _said(self) -> tuple[str, str, Json]:
        """Return the path, the method and the operation from the document."""
        return next(
            (path, method, said)
            for path, methods in pages.document()["paths"].items()
            for method, said in methods.items()
            if said["operationId"] == self.operation
        )

    @property
    def method(self) -> str:
        return self._said[1].upper()

    @property
    def is_of_site(self) -> bool:
        return "{key}" in self._said[0]

    @property
    def is_of_goal(self) -> bool:
        return "/goals/{id}" in self._said[0]

    @property
    def is_of_name(self) -> bool:
        return "/names/{id}" in self._said[0]

    @cached_property
    def parameters(self) -> frozenset[str]:
        """Return the arguments that the operation takes in its query."""
        said = self._said[2].get("parameters", ())
        return frozenset(each["name"] for each in said if each["in"] == "query")

    @cached_property
    def fields(self) -> Json:
        """Return the schemas of the operation's own arguments."""
        said = self._said[2]
        fields = {
            parameter["name"]: _described(parameter)
            for parameter in said.get("parameters", ())
            if parameter["in"] == "query" and parameter["name"] not in _OF_FILES
        }
        if body := said.get("requestBody"):
            schema = _inlined(body["content"]["application/json"]["schema"])
            fields |= schema["properties"]
        if "of" in fields:
            fields["of"] = _GOAL
        named: Json = _goals_by_name(fields)
        return named

    @cached_property
    def described(self) -> Json:
        """Return the tool as `tools/list` shows it."""
        body = self._said[2].get("requestBody", {}).get("content", {})
        schema = _inlined(body["application/json"]["schema"]) if body else {}
        properties = {**self.fields}
        required = [*schema.get("required", ())]
        if self.is_of_goal:
            properties = {"goal": _GOAL, **properties}
            required.insert(0, "goal")
        if self.is_of_name:
            properties = {"name": _NAME, **properties}
            required.insert(0, "name")
        if self.is_of_site:
            properties = {"site_key": _SITE_KEY, **properties}
            required.insert(0, "site_key")
        if self.name == "update_goal":
            properties["clear_currency"] = _CLEAR_CURRENCY
        if self.rehearsal:
            properties["dry_run"] = _DRY_RUN
        # Operations with filters by labels also have filters by properties.
        families = {"patternProperties": _PROPS} if "attribution" in self.fields else {}
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": {
                "type": "object",
                "properties": properties,
                **families,
                "required": required,
                "additionalProperties": False,
            },
            "outputSchema": self._output,
            "annotations": {
                "readOnlyHint": not self.writes,
                "destructiveHint": self.method in ("PATCH", "DELETE"),
                "idempotentHint": self.name != "create_goal",
                "openWorldHint": False,
            },
        }

    @property
    def _output(self) -> Json:
        """Return the schema of the result or of an error, because some clients validate
        errors too.
        """
        answered = [self._answer]
        if self.rehearsal:
            answered.append(self.rehearsal._answer)
        data = [answer["properties"]["data"] for answer in answered]
        return {
            "type": "object",
            "properties": {
                **answered[0]["properties"],
                "data": data[0] if len(data) == 1 else {"anyOf": data},
                "about": _ABOUT,
                **_ERROR,
            },
            "oneOf": [
                {"required": answered[0]["required"]},
                {"required": ["error"]},
            ],
        }

    @property
    def _answer(self) -> Json:
        responses = self._said[2]["responses"]
        success = responses.get("200") or responses["201"]
        schema: Json = _inlined(success["content"]["application/json"]["schema"])
        return schema


def _goals_by_name(node: Any) -> Any:
    """Return the same schema with names of goals where the API only accepts ids."""
    if isinstance(node, list):
        return [_goals_by_name(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        word: _GOAL if word == "goal" else _goals_by_name(value)
        for word, value in node.items()
    }


def _described(parameter: Json) -> Json:
    schema: Json = _inlined(parameter["schema"])
    if "description" in parameter:
        schema = {**schema, "description": parameter["description"]}
    return schema


# Keys that are for client generators only.
_LEFT_OUT = ("x-enum-varnames", "examples")


def _inlined(node: Any) -> Any:
    """Return a schema without references, because not every client resolves them."""
    if isinstance(node, list):
        return [_inlined(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = node["$ref"].removeprefix(PREFIX)
        return _inlined(pages.document()["components"]["schemas"][name])
    if len(node.get("allOf", ())) == 1:
        return _inlined(node["allOf"][0]) | {
            word: value for word, value in node.items() if word != "allOf"
        }
    return {
        word: _inlined(value) for word, value in node.items() if word not in _LEFT_OUT
    }


_PREVIEW = Tool(
    "preview_goal",
    "Preview a goal",
    "What a goal would count and which names it would match before it is created,"
    " why a rule matches nothing, and which other goals count the same names."
    " With `goal`, the id or name of an existing goal: what an edit would add and"
    " remove. Nothing is stored.",
    "goals_preview",
    PreviewViewSet,
    "preview",
)
_GET_GOAL = Tool(
    "get_goal",
    "Get a goal",
    "One goal of a site: what counts as a conversion of it.",
    "goals_retrieve",
    GoalViewSet,
    "retrieve",
)
TOOLS = {
    tool.name: tool
    for tool in (
        Tool(
            "list_sites",
            "List sites",
            "The sites that this API key may access, with their site keys.",
            "sites_list",
            SiteViewSet,
            "list",
        ),
        Tool(
            "list_goals",
            "List goals",
            "A site's goals: which events count as conversions. Can be narrowed by"
            " type, match_type, currency, or a text in name or match value.",
            "goals_list",
            GoalViewSet,
            "list",
        ),
        _GET_GOAL,
        Tool(
            "all_goals_stats",
            "Count conversions of all goals",
            "How many conversions each goal of a site had in a period, in one call."
            " `compare` adds an earlier period and whether the difference is real.",
            "goals_stats_all",
            AllGoalsViewSet,
            "stats",
        ),
        Tool(
            "goal_stats",
            "Count conversions",
            "How many conversions a goal had in a period, by how many visitors, and"
            " their revenue in the goal's currency. A visitor counts once a day."
            " `compare` adds an earlier period, `detail=money` how the revenue is"
            " computed.",
            "goals_stats",
            GoalViewSet,
            "stats",
        ),
        Tool(
            "goal_timeseries",
            "Conversions over time",
            "A goal's conversions, visitors and revenue by hour, day, week or month."
            " With `compare` each row also has the numbers of an earlier period.",
            "goals_timeseries",
            GoalReportViewSet,
            "timeseries",
        ),
        Tool(
            "goal_breakdown",
            "Conversions by a dimension",
            "A goal's conversions by page, country, device, browser, system,"
            " referrer, channel, campaign, or a property (props.<key>). Rows of labels"
            " have conversion rates; with `include=visitors` also rows of pages, names"
            " and properties. With `compare` each row has its earlier numbers and the"
            " verdict `more`, `fewer` or `cannot_tell`.",
            "goals_breakdown",
            GoalReportViewSet,
            "breakdown",
        ),
        Tool(
            "goal_rate",
            "Conversion rate",
            "The share of a site's visitors who converted, with a confidence interval;"
            " with `of`, the id or name of another goal, the share of its visitors;"
            " with `compare` also the earlier rate, and whether the two differ.",
            "goals_rate",
            GoalReportViewSet,
            "rate",
        ),
        Tool(
            "goal_journeys",
            "Journeys to a conversion",
            "How long visitors take from arrival to their first conversion of a day"
            " (median and quantiles, in seconds), the entry pages of their visits, and"
            " the last three pages before it.",
            "goals_journeys",
            GoalReportViewSet,
            "journeys",
        ),
        Tool(
            "goal_conversions",
            "List conversions",
            "A goal's conversions one by one, the newest first, each with its source,"
            " entry page and visit; `include=refunds` adds refunds. Page by page: pass"
            " `next_cursor` as `cursor`.",
            "conversions_list",
            ConversionViewSet,
            "list",
        ),
        Tool(
            "funnel",
            "Funnel",
            "How many visitors went through 2 to 8 steps in order, within a day, and"
            " the median time from step to step. A step is a goal (`goal`: id or name)"
            " or a rule (`type`, `match_type`, `match_value`). Filters and `dimension`"
            " apply to the first step of each visitor.",
            "funnels_query",
            FunnelViewSet,
            "query",
        ),
        Tool(
            "explain_event",
            "Explain an event",
            "Which goals of a site would count an event, and the reason for each"
            " goal. Nothing is stored.",
            "goals_explain",
            ExplainViewSet,
            "explain",
        ),
        Tool(
            "site_stats",
            "Site statistics",
            "A site's page views, visitors and visits, in total and by day; with"
            " `dimensions` also by path, name, referrer, country, device and others,"
            " or by a property (props.<key>); with `compare` also those of an earlier"
            " period.",
            "sites_stats",
            SiteStatsViewSet,
            "stats",
        ),
        Tool(
            "site_realtime",
            "Current visitors",
            "A site's visitors and page views of the last 5 minutes.",
            "sites_realtime",
            SiteStatsViewSet,
            "realtime",
        ),
        Tool(
            "site_drops",
            "Dropped events",
            "How many received events were dropped and not counted, by rule.",
            "sites_drops",
            SiteStatsViewSet,
            "drops",
        ),
        Tool(
            "list_names",
            "Names that the site sent",
            "The paths, events and goals that a site sent, how often and when, and"
            " which goals count each; with `unmatched` true only those that no goal"
            " counts. For the next page pass `next_cursor` as `cursor`.",
            "names_list",
            NameViewSet,
            "list",
        ),
        Tool(
            "name_stats",
            "One name that the site sent",
            "How often one path, event or goal name was sent and by how many visitors,"
            " by day, which goals count it, and its properties.",
            "names_stats",
            NameViewSet,
            "stats",
        ),
        Tool(
            "list_props",
            "Properties of events",
            "The keys of properties that a site's events carry, with the types and"
            " the most frequent values of each.",
            "sites_props",
            SiteStatsViewSet,
            "props",
        ),
        _PREVIEW,
        Tool(
            "create_goal",
            "Create a goal",
            "Define a conversion goal. It counts past events at once. Try it with"
            " `dry_run` first.",
            "goals_create",
            GoalViewSet,
            "create",
            rehearsal=_PREVIEW,
        ),
        Tool(
            "update_goal",
            "Change a goal",
            "Change the given fields. Past events are counted by the new rule."
            " With `dry_run`: what the edit would add and remove.",
            "goals_update",
            GoalViewSet,
            "partial_update",
            rehearsal=_PREVIEW,
        ),
        Tool(
            "delete_goal",
            "Delete a goal",
            "Delete a goal. Its events stay, and it can be restored.",
            "goals_delete",
            GoalViewSet,
            "destroy",
            rehearsal=_GET_GOAL,
        ),
    )
}


def for_scopes(held: Iterable[str]) -> list[Tool]:
    """Return the tools that a key with these scopes can see."""
    held = list(held)
    return [tool for tool in TOOLS.values() if tokens.grants(held, tool.scope)]
