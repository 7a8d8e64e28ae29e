"""POST /mcp: the protocol by itself, and with the official client."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from mcp import MCPError
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from msgspec import UNSET

from goals.mcp import protocol
from goals.mcp.tools import TOOLS
from tests.factories import GoalFactory, store

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
SERVER = protocol.Server(
    info={"name": "test", "version": "1"},
    instructions="Ask.",
    tools=[{"name": "echo"}],
    call=lambda name, arguments: {"structuredContent": {name: arguments}},
)
GOAL = {
    "name": "Signup",
    "type": "event",
    "match_type": "exact",
    "match_value": "signup",
}


# The protocol, without a database


def ask(method, params=None, version=None, **headers):
    """Ask as a client of that version does."""
    message = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params or {}}
    if version:
        headers = {"MCP-Protocol-Version": version, **headers}
    if version in protocol.STATELESS_VERSIONS:
        message["params"]["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        headers = {"Mcp-Method": method, **headers}
    return protocol.answer(message, headers, SERVER)


def code(answer):
    assert answer.body is not None
    assert answer.body.result is UNSET
    return answer.body.error["code"]


@pytest.mark.parametrize(
    ("asked", "agreed"),
    [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2025-03-26", "2025-03-26"),
        ("2024-11-05", "2025-11-25"),
        ("2099-01-01", "2025-11-25"),
        (None, "2025-11-25"),
    ],
)
def test_handshake_agrees_on_a_version(asked, agreed):
    result = ask("initialize", {"protocolVersion": asked}).body.result
    assert result["protocolVersion"] == agreed
    assert result["capabilities"] == {"tools": {}}
    assert result["serverInfo"] == SERVER.info


@pytest.mark.parametrize("version", [None, *protocol.HANDSHAKE_VERSIONS])
def test_handshaken_version_gets_bare_results(version):
    assert ask("ping", version=version).body.result == {}
    assert ask("tools/list", version=version).body.result == {"tools": SERVER.tools}


def test_stateless_version_gets_results_that_say_more():
    (version,) = protocol.STATELESS_VERSIONS
    found = ask("server/discover", version=version).body.result
    assert found["supportedVersions"] == [*protocol.VERSIONS]
    listed = ask("tools/list", version=version).body.result
    for result in (found, listed):
        assert result["resultType"] == "complete"
        assert result["cacheScope"] == "private"
        assert result["ttlMs"] > 0
    called = ask(
        "tools/call",
        {"name": "echo", "arguments": {"a": 1}},
        version,
        **{"Mcp-Name": "echo"},
    )
    assert called.body.result == {
        "resultType": "complete",
        "structuredContent": {"echo": {"a": 1}},
    }


@pytest.mark.parametrize(
    "headers",
    [{"MCP-Protocol-Version": "2025-11-25"}, {"Mcp-Method": "pong"}],
)
def test_headers_must_say_what_the_message_says(headers):
    answer = ask("ping", version="2026-07-28", **headers)
    assert (answer.status, code(answer)) == (400, protocol.HEADER_MISMATCH)


def test_name_in_the_header_must_be_the_tools():
    params = {"name": "echo"}
    answer = ask("tools/call", params, "2026-07-28", **{"Mcp-Name": "other"})
    assert code(answer) == protocol.HEADER_MISMATCH


def test_stateless_version_needs_its_envelope():
    answer = protocol.answer(PING, {"MCP-Protocol-Version": "2026-07-28"}, SERVER)
    assert (answer.status, code(answer)) == (400, protocol.INVALID_REQUEST)


@pytest.mark.parametrize("version", ["2024-11-05", "2099-01-01", "x", ""])
def test_unknown_version_is_told_the_known_ones(version):
    answer = protocol.answer(PING, {"MCP-Protocol-Version": version}, SERVER)
    assert (answer.status, code(answer)) == (400, protocol.UNSUPPORTED_VERSION)
    assert answer.body is not None
    data = {"supported": [*protocol.VERSIONS], "requested": version}
    assert answer.body.error["data"] == data


def test_unknown_stateless_version_is_told_the_known_ones():
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2099-01-01",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {"MCP-Protocol-Version": "2099-01-01", "Mcp-Method": "ping"}
    answer = protocol.answer({**PING, "params": {"_meta": meta}}, headers, SERVER)
    assert code(answer) == protocol.UNSUPPORTED_VERSION


@pytest.mark.parametrize(("version", "status"), [(None, 200), ("2026-07-28", 404)])
def test_unknown_method_is_an_error(version, status):
    answer = ask("resources/list", version=version)
    assert (answer.status, code(answer)) == (status, protocol.METHOD_NOT_FOUND)
    assert answer.body.id == 7


def test_each_era_has_its_own_way_to_begin():
    assert code(ask("server/discover")) == protocol.METHOD_NOT_FOUND
    assert code(ask("initialize", version="2026-07-28")) == protocol.METHOD_NOT_FOUND


@pytest.mark.parametrize(
    "params",
    [{"name": "none"}, {}, {"name": ["echo"]}, {"name": "echo", "arguments": [1]}],
)
def test_wrong_call_is_an_error(params):
    assert code(ask("tools/call", params)) == protocol.INVALID_PARAMS


@pytest.mark.parametrize(
    "change",
    [
        {"jsonrpc": "1.0"},
        {"jsonrpc": None},
        {"method": 1},
        {"id": None},
        {"id": True},
        {"id": {}},
        {"id": 1.5},
        {"params": []},
        {"params": None},
    ],
)
def test_what_is_no_request_is_an_error(change):
    answer = protocol.answer({**PING, **change}, {}, SERVER)
    assert (answer.status, code(answer)) == (400, protocol.INVALID_REQUEST)


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 1, "result": {}},
        {"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "a"}},
    ],
)
def test_what_asks_nothing_is_accepted_without_a_word(message):
    assert protocol.answer(message, {}, SERVER) == (202, None)


def test_notification_with_a_list_of_parameters_is_an_error():
    message = {"jsonrpc": "2.0", "method": "notifications/x", "params": []}
    answer = protocol.answer(message, {}, SERVER)
    assert (answer.status, code(answer)) == (400, protocol.INVALID_REQUEST)


# The tools over the API


@pytest.fixture
def call(reader):
    def send(name, /, **arguments):
        message = {**PING, "method": "tools/call"}
        params = {"name": name, "arguments": arguments}
        response = reader("POST", "/mcp", {**message, "params": params})
        assert response.status_code == 200, response.content
        return response.json()["result"]

    return send


@pytest.fixture
def goal(site):
    return GoalFactory.create(site=site, currency="USD")


def test_tools_are_reads_with_a_schema_each():
    for tool in TOOLS.values():
        assert tool.view.required_scopes[tool.action] == "analytics:read"
        described = tool.described()
        assert described["annotations"]["readOnlyHint"]
        assert set(tool.path) <= set(described["inputSchema"]["required"])
    stats = TOOLS["goal_stats"].described()["inputSchema"]
    assert stats["required"] == ["site_key", "goal_id"]
    assert stats["properties"]["period"] == {
        "type": "string",
        "enum": ["7d", "30d", "12mo", "custom"],
        "default": "30d",
    }
    assert stats["properties"]["from"] == {"type": "string", "format": "date"}
    limit = TOOLS["goal_breakdown"].described()["inputSchema"]["properties"]["limit"]
    assert limit == {"type": "integer", "minimum": 1, "maximum": 1_000, "default": 100}


@pytest.mark.django_db
def test_each_tool_answers_what_the_api_answers(call, reader, site, goal):
    store(site, "event", "signup", amount=125_000, currency="USD")
    path = f"/sites/{site.site_key}"
    of_site = {"site_key": site.site_key}
    of_goal = {**of_site, "goal_id": str(goal.id)}
    for name, arguments, address in [
        ("list_sites", {}, "/sites"),
        ("list_goals", of_site, f"{path}/goals"),
        ("list_goals", {**of_site, "type": "event"}, f"{path}/goals?type=event"),
        ("goal_stats", of_goal, f"{path}/goals/{goal.id}/stats"),
        (
            "goal_stats",
            {**of_goal, "period": "7d", "compare": "previous", "country": "!DE"},
            f"{path}/goals/{goal.id}/stats?period=7d&compare=previous&country=!DE",
        ),
        (
            "goal_timeseries",
            {**of_goal, "interval": "week"},
            f"{path}/goals/{goal.id}/timeseries?interval=week",
        ),
        (
            "goal_breakdown",
            {**of_goal, "dimension": "device", "limit": 1},
            f"{path}/goals/{goal.id}/breakdown?dimension=device&limit=1",
        ),
    ]:
        result = call(name, **arguments)
        assert not result["isError"]
        assert result["structuredContent"] == reader("GET", address).json()
        assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
    draft = {**GOAL, "period": "7d"}
    previewed = call("preview_goal", **of_site, **draft)["structuredContent"]
    assert previewed == reader("POST", f"{path}/goals/preview", draft).json()
    assert previewed["data"]["conversions"] == 1


@pytest.mark.django_db
def test_null_stands_for_what_is_left_out(call, site, goal):
    arguments = {"site_key": site.site_key, "goal_id": str(goal.id)}
    said = call("goal_stats", **arguments, period=None, **{"from": None})
    assert said == call("goal_stats", **arguments)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"period": "1d"}, "Validation failed"),
        ({"colour": "red"}, "Validation failed"),
        ({"country": ["DE"]}, "Validation failed"),
        ({"site_key": None}, "Validation failed"),
        ({"site_key": 5}, "Validation failed"),
        ({"goal_id": "none"}, "Not found"),
        ({"site_key": "sk_other"}, "Not found"),
    ],
)
def test_error_of_the_api_is_a_result_that_a_model_can_read(
    call, site, goal, change, error
):
    arguments = {"site_key": site.site_key, "goal_id": str(goal.id), **change}
    result = call("goal_stats", **arguments)
    assert result["isError"]
    assert result["structuredContent"]["error"] == error
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]


@pytest.mark.django_db
def test_tool_reaches_what_its_key_does(call, stranger, site, goal):
    arguments = {"site_key": site.site_key, "goal_id": str(goal.id)}
    params = {"name": "goal_stats", "arguments": arguments}
    message = {**PING, "method": "tools/call", "params": params}
    result = stranger("POST", "/mcp", message).json()["result"]
    assert result["structuredContent"] == {"error": "Not found"}


@pytest.mark.django_db
def test_call_costs_one_request_of_the_limit(reader, site, goal, settings):
    settings.RATE_LIMIT_API = 2
    params = {"name": "list_sites"}
    message = {**PING, "method": "tools/call", "params": params}
    assert reader("POST", "/mcp", message).headers["x-ratelimit-remaining"] == "1"
    assert reader("POST", "/mcp", message).status_code == 200
    assert reader("POST", "/mcp", message).status_code == 429


@pytest.mark.django_db
def test_fault_of_the_service_is_no_result(reader, monkeypatch):
    reader.client.raise_request_exception = False
    monkeypatch.setattr("analytics.sites.views.SiteViewSet.list", lambda *_: 1 / 0)
    message = {**PING, "method": "tools/call", "params": {"name": "list_sites"}}
    response = reader("POST", "/mcp", message)
    assert response.status_code == 500
    assert list(response.json()) == ["error"]


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "HEAD"])
def test_there_is_neither_stream_nor_session(reader, method):
    response = reader(method, "/mcp")
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]


@pytest.mark.django_db
def test_what_is_no_message_is_answered_as_anywhere(reader):
    for body in (b"{", b"[]", b""):
        response = reader("POST", "/mcp", body)
        assert response.status_code == 400
        assert list(response.json()) == ["error"]
    accepted = reader("POST", "/mcp", {"jsonrpc": "2.0", "method": "notifications/x"})
    assert (accepted.status_code, accepted.content) == (202, b"")


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["jsonrpc", "id", "method", "params", "other"])
def test_hostile_value_in_a_message_is_no_500(reader, field):
    value: Any
    for value in (
        "",
        "\0",
        [],
        [{}],
        {"_meta": []},
        {"name": {}},
        1e308,
        -1,
        None,
        True,
    ):
        response = reader("POST", "/mcp", {**PING, field: value})
        assert response.status_code in (200, 202, 400), value
    for number in (b"1e400", b"9" * 5_000, b"1e-400"):
        body = json.dumps({**PING, field: "?"}).encode().replace(b'"?"', number)
        assert reader("POST", "/mcp", body).status_code in (200, 400)


@pytest.mark.django_db
@pytest.mark.parametrize("name", [tool for tool in TOOLS if TOOLS[tool].path])
def test_hostile_argument_is_no_500(call, site, goal, name):
    route = {"site_key": site.site_key, "goal_id": str(goal.id)}
    known = TOOLS[name].described()["inputSchema"]["properties"]
    value: Any
    for argument in (*known, "from", "\0", "é"):
        for value in ("", "\0", [], {}, 10**400, -1, 1.5, True, "x" * 9_000):
            given = {field: route[field] for field in TOOLS[name].path}
            result = call(name, **{**given, argument: value})
            assert "error" in result["structuredContent"] or not result["isError"]


# The official client, over HTTP


def converse(service, talk, **options):
    async def run():
        headers = {"Authorization": f"Bearer {service.secret}"}
        async with httpx2.AsyncClient(headers=headers) as http:
            transport = streamable_http_client(f"{service.url}/mcp", http_client=http)
            async with Client(transport, **options) as client:
                return await talk(client)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("mode", "version"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")]
)
def test_official_client_finds_and_calls_every_tool(service, mode, version):
    site = service.new_site()
    goal = service("POST", f"/sites/{site}/goals", GOAL).json()["data"]["id"]
    event = {"type": "event", "name": "signup", "visitor_id": "a"}
    service("POST", f"/sites/{site}/events", event)
    of_goal = {"site_key": site, "goal_id": goal}
    arguments = {
        "list_sites": {},
        "list_goals": {"site_key": site},
        "goal_stats": of_goal,
        "goal_timeseries": of_goal,
        "goal_breakdown": of_goal,
        "preview_goal": {"site_key": site, **GOAL},
    }

    async def talk(client):
        listed = await client.list_tools()
        assert {tool.name for tool in listed.tools} == arguments.keys()
        return client.protocol_version, {
            name: await client.call_tool(name, given)
            for name, given in arguments.items()
        }

    agreed, results = converse(service, talk, mode=mode)
    assert agreed == version
    assert not any(result.is_error for result in results.values())
    data = {name: result.structured_content["data"] for name, result in results.items()}
    assert site in [row["site_key"] for row in data["list_sites"]]
    assert [row["id"] for row in data["list_goals"]] == [goal]
    assert data["goal_stats"]["conversions"] == 1
    assert data["preview_goal"]["conversions"] == 1


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_official_client_is_told_what_is_wrong(service, mode):
    async def talk(client):
        with pytest.raises(MCPError):
            await client.call_tool("delete_everything", {})
        return await client.call_tool("list_goals", {"site_key": "sk_none"})

    result = converse(service, talk, mode=mode)
    assert result.is_error
    assert result.structured_content == {"error": "Not found"}
