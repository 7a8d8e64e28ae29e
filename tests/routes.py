"""Every route of the API: the scope that opens it and a request that works.

A new route gets a row here; test_scopes fails without one. The tests of scopes,
tenancy, limits and errors then cover it: they run over this table.
"""

import hashlib
import json
import re
from typing import Any, NamedTuple

BASE = "/api/v1"
PUBLIC = ""


class Route(NamedTuple):
    """`path` is below BASE; {site}, {goal}, {token} and so on are given ids.

    `body` is one that the route accepts, None where it reads none. `params` are
    the query parameters that it knows, each with a value that it accepts.
    """

    method: str
    path: str
    scope: str
    status: int = 200
    body: dict[str, Any] | bytes | None = None
    params: dict[str, str] = {}

    @property
    def label(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def fields(self) -> dict[str, Any]:
        """Those of a body that is an object."""
        return self.body if isinstance(self.body, dict) else {}

    @property
    def url_template(self) -> str:
        return BASE + self.path

    def url(self, **ids: Any) -> str:
        return self.url_template.format(**ids)


GOAL = {
    "name": "Purchase",
    "type": "custom",
    "match_type": "exact",
    "match_value": "purchase",
    "currency": "USD",
}
SETTINGS = {
    "timezone": "Europe/Berlin",
    "allowed_hosts": ["shop.example"],
    "excluded_ips": ["192.0.2.0/24"],
    "excluded_paths": ["/admin/*"],
    "honour_dnt": False,
}
EVENT = {
    "type": "goal",
    "name": "purchase",
    "url": "https://example.com/cart",
    "referrer": "https://news.example/",
    "revenue": 49.99,
    "currency": "USD",
    "props": {"plan": "pro"},
    "id": "order-1",
}
SERVER_EVENT = {
    **EVENT,
    "timestamp": "2026-01-01T12:00:00Z",
    "visitor_id": "customer-1",
    "ip": "192.0.2.1",
    "user_agent": "Mozilla/5.0",
}
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
TOKEN = {
    "name": "Report",
    "scopes": ["analytics:read"],
    "sites": None,
    "expires_at": "2099-01-01T00:00:00Z",
}
ANNOTATION = {"date": "2026-01-15", "text": "The winter sale begins"}
PERIOD = {"period": "custom", "from": "2026-01-01", "to": "2026-01-31"}
DRAFT = {**GOAL, **PERIOD}
RULE = {"type": "event", "match_type": "exact", "match_value": "signup"}
SAVED_FUNNEL = {"name": "Way", "steps": [RULE, RULE], "window_minutes": 30}
QUESTION = {
    **PERIOD,
    "country": "DE,FR",
    "attribution": "first",
    "device": "!Mobile",
    "browser": "Firefox",
    "os": "Linux",
    "referrer": "(none)",
    "channel": "Direct",
    "utm_source": "newsletter",
    "utm_medium": "mail",
    "utm_campaign": "spring",
    "utm_term": "shoes",
    "utm_content": "banner",
    "entry_path": "/landing",
    "path": "/blog/*",
    "name": "!signup",
    "props": "plan=pro&seats=!3",
}
FUNNEL_QUESTION = {**QUESTION, "dimension": "country"}
FUNNEL = {**FUNNEL_QUESTION, "steps": [RULE, RULE], "window_minutes": 30}

# An export of a team without sites.
_MANIFEST = {
    "format": "krafter-team",
    "version": 1,
    "id": "550e8400-e29b-41d4-a716-446655440000",
    "team": "Other",
    "sites": [],
}
_FIRST = json.dumps({"manifest": _MANIFEST}).encode() + b"\n"
_END = {"counts": {"manifest": 1}, "sha256": hashlib.sha256(_FIRST).hexdigest()}
PAGE = _FIRST + json.dumps({"end": _END}).encode() + b"\n"

_SITES = "/analytics/sites"
_SITE = f"{_SITES}/{{site}}"
_GOALS = f"{_SITE}/goals"
_GOAL = f"{_GOALS}/{{goal}}"
_FUNNEL = f"{_SITE}/funnels/{{funnel}}"
_ANNOTATION = f"{_SITE}/annotations/{{annotation}}"
READ, WRITE, ALL = "analytics:read", "analytics:write", "*"

# About the API rather than of it.
DOCUMENTS = ["/openapi.json", "/openapi.yaml", "/docs"]

ROUTES = [
    *(Route("GET", path, PUBLIC) for path in DOCUMENTS),
    Route(
        "POST",
        "/analytics/collect",
        PUBLIC,
        202,
        {**EVENT, "site": "sk_abc123def456"},
        {"debug": "1"},
    ),
    Route("GET", _SITES, READ),
    Route("POST", _SITES, WRITE, 201, {"domain": "new.example", "name": "New"}),
    Route("GET", _SITE, READ),
    Route(
        "PATCH",
        _SITE,
        WRITE,
        body={"domain": "old.example", "name": "Old", "public_stats": True},
    ),
    Route("DELETE", _SITE, WRITE),
    Route("GET", f"{_SITE}/settings", READ),
    Route("PATCH", f"{_SITE}/settings", WRITE, body=SETTINGS),
    Route(
        "GET",
        f"{_SITE}/events",
        READ,
        params={
            "type": "event",
            "name": "signup",
            "from": "2026-01-01",
            "to": "2026-01-31",
            "limit": "10",
        },
    ),
    Route("POST", f"{_SITE}/events", WRITE, body=SERVER_EVENT),
    Route(
        "GET",
        f"{_SITE}/stats",
        READ,
        params={
            **QUESTION,
            "compare": "previous",
            "dimensions": "path,name,country,props.plan",
            "include": "other",
        },
    ),
    Route("GET", f"{_SITE}/realtime", READ),
    Route("POST", f"{_SITE}/erase", ALL, body={"events": ["order-1"]}),
    Route("GET", "/analytics/deleted-sites", ALL),
    Route("POST", "/analytics/deleted-sites/{deleted_site}/restore", ALL),
    Route("POST", "/analytics/deleted-sites/{deleted_site}/erase", ALL, 202),
    Route("GET", "/team/export", ALL),
    Route("POST", "/team/import", ALL, body=PAGE, params={"new_keys": "true"}),
    Route("POST", "/team/erase", ALL, 202, {"confirm": "erase"}),
    Route("GET", f"{_SITE}/drops", READ, params=PERIOD),
    Route("GET", f"{_SITE}/props", READ, params={**PERIOD, "limit": "10"}),
    Route(
        "GET",
        f"{_SITE}/names",
        READ,
        params={
            **PERIOD,
            "type": "event",
            "search": "sign",
            "unmatched": "true",
            "sort": "name",
            "limit": "10",
        },
    ),
    Route("GET", f"{_SITE}/names/{{name}}/stats", READ, params=PERIOD),
    Route(
        "GET",
        _GOALS,
        READ,
        params={
            "type": "event",
            "match_type": "exact",
            "currency": "USD",
            "starred": "false",
            "search": "sign",
        },
    ),
    Route("POST", _GOALS, WRITE, 201, GOAL),
    Route(
        "POST",
        f"{_GOALS}/apply",
        WRITE,
        body={"goals": [GOAL], "delete_missing": False},
        params={"dry_run": "true", "confirm": "sealed"},
    ),
    Route("POST", f"{_GOALS}/preview", READ, body=DRAFT),
    Route("POST", f"{_GOALS}/explain", READ, body=EVENT),
    Route("POST", f"{_SITE}/funnels/query", READ, body=FUNNEL),
    Route(
        "GET",
        f"{_SITE}/annotations",
        READ,
        params={"from": "2026-01-01", "to": "2026-01-31"},
    ),
    Route("GET", f"{_SITE}/funnels", READ),
    Route("POST", f"{_SITE}/funnels", WRITE, 201, SAVED_FUNNEL),
    Route("GET", _FUNNEL, READ),
    Route("PATCH", _FUNNEL, WRITE, body=SAVED_FUNNEL),
    Route("DELETE", _FUNNEL, WRITE),
    Route("GET", f"{_FUNNEL}/stats", READ, params=FUNNEL_QUESTION),
    Route("POST", f"{_SITE}/annotations", WRITE, 201, ANNOTATION),
    Route("GET", _ANNOTATION, READ),
    Route("PATCH", _ANNOTATION, WRITE, body=ANNOTATION),
    Route("DELETE", _ANNOTATION, WRITE),
    Route("GET", f"{_GOALS}/stats", READ, params={**QUESTION, "compare": "year"}),
    Route("GET", _GOAL, READ),
    Route("PATCH", _GOAL, WRITE, body=GOAL, params={"confirm": "sealed"}),
    Route("DELETE", _GOAL, WRITE),
    Route("GET", f"{_GOAL}/changes", READ),
    Route("POST", f"{_GOAL}/star", WRITE),
    Route("POST", f"{_GOAL}/unstar", WRITE),
    Route(
        "GET",
        f"{_GOAL}/stats",
        READ,
        params={**QUESTION, "compare": "year", "detail": "money"},
    ),
    Route(
        "GET",
        f"{_GOAL}/timeseries",
        READ,
        params={**QUESTION, "compare": "previous", "interval": "hour"},
    ),
    Route(
        "GET",
        f"{_GOAL}/breakdown",
        READ,
        params={
            **QUESTION,
            "compare": "previous_month",
            "include": "visitors",
            "dimension": "props.plan",
            "sort": "-revenue",
            "limit": "10",
        },
    ),
    Route("GET", f"{_SITE}/deleted-goals", WRITE),
    Route("POST", f"{_SITE}/deleted-goals/{{deleted_goal}}/restore", WRITE),
    Route("GET", f"{_GOAL}/rate", READ, params={**QUESTION, "compare": "previous"}),
    Route("GET", f"{_GOAL}/journeys", READ, params={**QUESTION, "limit": "10"}),
    Route(
        "GET",
        f"{_GOAL}/conversions",
        READ,
        params={**QUESTION, "limit": "10", "include": "refunds"},
    ),
    Route("POST", "/analytics/mcp", READ, body=PING),
    Route(
        "GET",
        "/audit",
        "*",
        params={
            "action": "goal.changed",
            "site": "sk_abc123def456",
            "from": "2026-01-01",
            "to": "2026-01-31",
            "limit": "10",
        },
    ),
    Route("GET", "/tokens", "tokens:read", params={"limit": "10"}),
    Route("POST", "/tokens", "tokens:write", 201, TOKEN),
    Route("POST", "/tokens/{token}/revoke", "tokens:write", params={"made": "true"}),
    Route(
        "POST",
        "/tokens/{token}/rotate",
        "tokens:write",
        201,
        params={"overlap_hours": "24"},
    ),
]
# What fills the placeholders of a path where there is no such thing.
NOBODYS = {
    **{name: "x" for route in ROUTES for name in re.findall(r"{(\w+)}", route.path)},
    "site": "sk_unknownunkno",
}
# Those whose body is an object.
WITH_BODY = [route for route in ROUTES if route.fields]
PRIVATE = [route for route in ROUTES if route.scope != PUBLIC]


def labels(routes: list[Route]) -> list[str]:
    return [route.label for route in routes]
