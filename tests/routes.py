"""Every route of the API: the scope that opens it and a request that works.

A new route gets a row here; test_scopes fails without one. The tests of scopes,
tenancy, limits and errors then cover it: they run over this table.
"""

from typing import Any, NamedTuple

BASE = "/api/v1"
PUBLIC = ""


class Route(NamedTuple):
    """`path` is below BASE; {site}, {goal} and {token} are filled with ids.

    `body` is one that the route accepts, None where it reads none. `params` are
    the query parameters that it knows, each with a value that it accepts.
    """

    method: str
    path: str
    scope: str
    status: int = 200
    body: dict[str, Any] | None = None
    params: dict[str, str] = {}

    @property
    def label(self) -> str:
        return f"{self.method} {self.path}"

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
PERIOD = {"period": "custom", "from": "2026-01-01", "to": "2026-01-31"}
DRAFT = {**GOAL, **PERIOD}
RULE = {"type": "event", "match_type": "exact", "match_value": "signup"}
FUNNEL = {**PERIOD, "steps": [RULE, RULE], "window_minutes": 30}
QUESTION = {
    **PERIOD,
    "country": "DE,FR",
    "device": "!Mobile",
    "browser": "Firefox",
    "os": "Linux",
    "referrer": "(none)",
    "utm_source": "newsletter",
    "utm_medium": "mail",
    "utm_campaign": "spring",
}

_SITES = "/analytics/sites"
_SITE = f"{_SITES}/{{site}}"
_GOALS = f"{_SITE}/goals"
_GOAL = f"{_GOALS}/{{goal}}"
READ, WRITE = "analytics:read", "analytics:write"

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
        params={**QUESTION, "dimensions": "path,country"},
    ),
    Route("GET", f"{_SITE}/realtime", READ),
    Route("GET", f"{_SITE}/drops", READ, params=PERIOD),
    Route(
        "GET",
        _GOALS,
        READ,
        params={
            "type": "event",
            "match_type": "exact",
            "currency": "USD",
            "search": "sign",
        },
    ),
    Route("POST", _GOALS, WRITE, 201, GOAL),
    Route(
        "POST",
        f"{_GOALS}/apply",
        WRITE,
        body={"goals": [GOAL], "delete_missing": False},
        params={"dry_run": "true"},
    ),
    Route("POST", f"{_GOALS}/preview", READ, body=DRAFT),
    Route("POST", f"{_GOALS}/explain", READ, body=EVENT),
    Route("POST", f"{_SITE}/funnels/query", READ, body=FUNNEL),
    Route("GET", f"{_GOALS}/stats", READ, params=QUESTION),
    Route("GET", _GOAL, READ),
    Route("PATCH", _GOAL, WRITE, body=GOAL),
    Route("DELETE", _GOAL, WRITE),
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
            "dimension": "props.plan",
            "sort": "-revenue",
            "limit": "10",
        },
    ),
    Route("GET", f"{_GOAL}/rate", READ, params=QUESTION),
    Route("GET", f"{_GOAL}/conversions", READ, params={**QUESTION, "limit": "10"}),
    Route("POST", "/analytics/mcp", READ, body=PING),
    Route("GET", "/tokens", "tokens:read"),
    Route("POST", "/tokens", "tokens:write", 201, TOKEN),
    Route("POST", "/tokens/{token}/revoke", "tokens:write"),
    Route("POST", "/tokens/{token}/rotate", "tokens:write", 201),
]
PRIVATE = [route for route in ROUTES if route.scope != PUBLIC]


def labels(routes: list[Route]) -> list[str]:
    return [route.label for route in routes]
