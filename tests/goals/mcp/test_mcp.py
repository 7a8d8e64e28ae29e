"""POST /mcp: the protocol by itself, and with the official client."""

import asyncio
import json
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import httpx2
import jsonschema_rs
import pytest
from mcp import MCPError
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from msgspec import UNSET

from analytics.models import AuditEntry
from goals.mcp import protocol
from goals.mcp.tools import TOOLS
from tests.factories import GoalFactory, store
from tests.goals.mcp.calls import GOAL, call_of_each

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
SERVER = protocol.Server(
    info={"name": "test", "version": "1"},
    instructions="Ask.",
    tools=lambda: [{"name": "echo"}],
    call=lambda name, arguments: {"structuredContent": {name: arguments}},
)


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
    assert ask("tools/list", version=version).body.result == {"tools": SERVER.tools()}


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
    [
        {},
        {"name": ["echo"]},
        {"name": "echo", "arguments": [1]},
        {"name": "echo", "arguments": []},
        {"name": "echo", "arguments": ""},
        {"name": "echo", "arguments": False},
    ],
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
    return caller(reader)


@pytest.fixture
def change(owner):
    return caller(owner)


def caller(client):
    def send(name, /, **arguments):
        message = {**PING, "method": "tools/call"}
        params = {"name": name, "arguments": arguments}
        response = client("POST", "/mcp", {**message, "params": params})
        assert response.status_code == 200, response.content
        result = response.json()["result"]
        # An error as well: the TypeScript SDK checks whatever is structured.
        schema = TOOLS[name].described["outputSchema"]
        jsonschema_rs.validate(schema, result["structuredContent"])
        assert result["isError"] is ("data" not in result["structuredContent"])
        return result

    return send


@pytest.fixture
def goal(site):
    return GoalFactory.create(site=site, currency="USD")


def test_tools_have_a_schema_for_what_they_take_and_answer():
    for tool in TOOLS.values():
        described = tool.described
        assert described["annotations"]["readOnlyHint"] is not tool.writes
        for schema in (described["inputSchema"], described["outputSchema"]):
            jsonschema_rs.Draft202012Validator(schema)
            assert schema["type"] == "object"
            assert "$ref" not in json.dumps(schema)
        assert not jsonschema_rs.is_valid(described["outputSchema"], {"about": {}})
    stats = TOOLS["goal_stats"].described["inputSchema"]
    assert stats["required"] == ["site_key", "goal"]
    assert stats["properties"]["period"]["enum"] == ["7d", "30d", "12mo", "custom"]
    assert stats["properties"]["period"]["default"] == "30d"
    assert stats["properties"]["from"]["format"] == "date"
    limit = TOOLS["goal_breakdown"].described["inputSchema"]["properties"]["limit"]
    assert limit["maximum"] == 1_000


@pytest.mark.django_db
def test_only_keys_that_may_write_see_tools_that_do(reader, writer, owner):
    message = {**PING, "method": "tools/list"}
    reads = {name for name, tool in TOOLS.items() if not tool.writes}
    assert TOOLS.keys() - reads == {"create_goal", "update_goal", "delete_goal"}
    for client, names in ((reader, reads), (owner, TOOLS.keys())):
        listed = client("POST", "/mcp", message).json()["result"]["tools"]
        assert {tool["name"] for tool in listed} == names


@pytest.mark.django_db
def test_other_tools_are_refused_by_the_contracts_codes(reader, site):
    for name, said in (("nonesuch", -32001), ("create_goal", -32002)):
        params = {"name": name, "arguments": {"site_key": site.site_key, **GOAL}}
        message = {**PING, "method": "tools/call", "params": params}
        assert reader("POST", "/mcp", message).json()["error"]["code"] == said
    assert not site.goals.exists()


@pytest.mark.django_db
def test_identity_is_the_contracts(reader):
    message = {**PING, "method": "initialize", "params": {}}
    info = reader("POST", "/mcp", message).json()["result"]["serverInfo"]
    assert (info["name"], info["version"]) == ("krafter", "1.0.0")


@pytest.mark.django_db
def test_each_tool_answers_what_the_api_answers(call, reader, site, goal, time_machine):
    # Both at one time, up to which they compare.
    time_machine.move_to(datetime.now(UTC), tick=False)
    store(site, "event", "signup", amount=125_000, currency="USD")
    path = f"/sites/{site.site_key}"
    of_site = {"site_key": site.site_key}
    of_goal = {**of_site, "goal": str(goal.id)}
    (sent,) = reader("GET", f"{path}/names").json()["data"]
    id, name_stats = sent["id"], f"{path}/names/{sent['id']}/stats"
    for name, arguments, address in [
        ("list_sites", {}, "/sites"),
        ("list_goals", of_site, f"{path}/goals"),
        ("list_names", {**of_site, "sort": "name"}, f"{path}/names?sort=name"),
        ("name_stats", {**of_site, "name": "signup"}, name_stats),
        (
            "name_stats",
            {**of_site, "name": id, "period": "7d"},
            f"{name_stats}?period=7d",
        ),
        ("list_props", of_site, f"{path}/props"),
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
        ("get_goal", of_goal, f"{path}/goals/{goal.id}"),
        ("all_goals_stats", of_site, f"{path}/goals/stats"),
        ("goal_rate", of_goal, f"{path}/goals/{goal.id}/rate"),
        ("goal_journeys", of_goal, f"{path}/goals/{goal.id}/journeys"),
        (
            "goal_conversions",
            {**of_goal, "limit": 1},
            f"{path}/goals/{goal.id}/conversions?limit=1",
        ),
        (
            "site_stats",
            {**of_site, "dimensions": "path,country"},
            f"{path}/stats?dimensions=path,country",
        ),
        ("site_realtime", of_site, f"{path}/realtime"),
        ("site_drops", of_site, f"{path}/drops"),
    ]:
        result = call(name, **arguments)
        assert not result["isError"], result
        content = {**result["structuredContent"]}
        content.pop("about", None)
        assert content == reader("GET", address).json()
        assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
    draft = {**GOAL, "period": "7d"}
    steps: dict[str, Any] = {"steps": [{"goal": str(goal.id)}] * 2}
    steps |= {"dimension": "country", "attribution": "first", "props.plan": "!pro"}
    event: dict[str, Any] = {"type": "event", "name": "signup"}
    for name, body, address in [
        ("preview_goal", draft, f"{path}/goals/preview"),
        ("funnel", steps, f"{path}/funnels/query"),
        ("explain_event", event, f"{path}/goals/explain"),
    ]:
        answered = call(name, **of_site, **body)["structuredContent"]["data"]
        assert answered == reader("POST", address, body).json()["data"]


@pytest.mark.django_db
def test_answer_says_what_it_is_about(call, site, goal):
    arguments = {"site_key": site.site_key, "goal": goal.name}
    days = {"period": "custom", "from": "2026-01-01", "to": "2026-01-31"}
    about = call("goal_stats", **arguments, **days)["structuredContent"]["about"]
    assert about == {
        "site_key": site.site_key,
        "timezone": "UTC",
        "period": {"from": "2026-01-01", "to": "2026-01-31"},
        "goal": {"id": str(goal.id), "name": goal.name, "currency": "USD"},
    }


@pytest.mark.django_db
def test_goal_may_be_named_wherever_one_is_taken(call, site, goal):
    other = GoalFactory.create(site=site, name="Other")
    of_site = {"site_key": site.site_key}
    steps = [[{"goal": one}, {"goal": two}] for one, two in [(goal.name, "Other")]]
    assert not call("funnel", **of_site, steps=steps[0])["isError"]
    assert not call("goal_rate", **of_site, goal=goal.name, of="Other")["isError"]
    edit = {"goal": "Other", "match_value": "none"}
    assert not call("preview_goal", **of_site, **edit)["isError"]
    GoalFactory.create(site=site, name="Other")
    wrong = call("goal_stats", **of_site, goal="Other")["structuredContent"]
    assert str(other.id) in wrong["details"]["goal"][0]


@pytest.mark.django_db
def test_name_of_several_types_is_asked_for_by_id(call, site, strangers_site):
    of_site = {"site_key": site.site_key}
    for type in ("event", "goal"):
        store(site, type, "signup")
    store(strangers_site, "event", "elsewhere")
    wrong = call("name_stats", **of_site, name="signup")
    assert wrong["isError"]
    (said,) = wrong["structuredContent"]["details"]["name"]
    ids = dict(pair.split() for pair in said.partition("ids: ")[2][:-1].split(", "))
    assert ids.keys() == {"event", "goal"}
    for type, id in ids.items():
        told = call("name_stats", **of_site, name=id)["structuredContent"]["data"]
        assert (told["name"]["type"], told["name"]["name"]) == (type, "signup")
    for name in ("elsewhere", "Signup", "", "a\0", str(uuid4())):
        unknown = call("name_stats", **of_site, name=name)["structuredContent"]
        assert "list_names" in unknown["details"]["name"][0]
    assert call("name_stats", **of_site)["isError"]


@pytest.mark.django_db
def test_tools_create_change_and_delete_a_goal(change, site):
    of_site = {"site_key": site.site_key}
    created = change("create_goal", **of_site, **GOAL, currency="USD")
    assert site.goals.undeleted().get().name == "Signup"
    id = created["structuredContent"]["data"]["id"]
    changed = change(
        "update_goal", **of_site, goal="Signup", name="Joined", clear_currency=True
    )["structuredContent"]["data"]
    assert (changed["id"], changed["name"], changed["currency"]) == (id, "Joined", None)
    deleted = change("delete_goal", **of_site, goal="Joined")
    assert deleted["structuredContent"]["data"] == {"deleted": True}
    assert not site.goals.undeleted().exists()


@pytest.mark.django_db
def test_dry_run_changes_nothing_and_tells_what_would_be(change, site, goal):
    store(site, "event", "signup")
    store(site, "event", "join")
    of_site = {"site_key": site.site_key, "dry_run": True}
    edit = {"goal": goal.name, "match_value": "join"}
    before = list(site.goals.values())
    created = change("create_goal", **of_site, **GOAL)["structuredContent"]
    assert (created["data"]["conversions"], created["about"]["dry_run"]) == (1, True)
    changed = change("update_goal", **of_site, **edit)["structuredContent"]["data"]
    assert [row["name"] for row in changed["wins"]["names"]] == ["join"]
    deleted = change("delete_goal", **of_site, goal=goal.name)["structuredContent"]
    assert deleted["data"]["name"] == goal.name
    assert list(site.goals.values()) == before
    assert change("delete_goal", **of_site | {"dry_run": "yes"}, goal="x")["isError"]


@pytest.mark.django_db
def test_change_of_a_rule_with_sealed_days_is_confirmed(change, site, goal):
    site.sealed_before = date(2026, 2, 1)
    site.save()
    edit = {"site_key": site.site_key, "goal": goal.name, "match_value": "join"}
    refused = change("update_goal", **edit)
    assert refused["isError"]
    assert "confirm=sealed" in refused["structuredContent"]["error"]
    wrong = change("update_goal", **edit, confirm="yes")["structuredContent"]
    assert wrong["details"].keys() == {"confirm"}
    rehearsed = change("update_goal", **edit, confirm="sealed", dry_run=True)
    assert "hints" in rehearsed["structuredContent"]["data"]
    changed = change("update_goal", **edit, confirm="sealed")["structuredContent"]
    assert changed["data"]["match_value"] == "join"


@pytest.mark.django_db
def test_null_stands_for_what_is_left_out(call, site, goal):
    arguments = {"site_key": site.site_key, "goal": str(goal.id)}
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
        ({"goal": "none"}, "Not found"),
        ({"site_key": "sk_other"}, "Not found"),
    ],
)
def test_error_of_the_api_is_a_result_that_a_model_can_read(
    call, site, goal, change, error
):
    arguments = {"site_key": site.site_key, "goal": str(goal.id), **change}
    result = call("goal_stats", **arguments)
    assert result["isError"]
    assert result["structuredContent"]["error"] == error
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]


@pytest.mark.django_db
def test_tool_reaches_what_its_key_does(call, stranger, site, goal):
    arguments = {"site_key": site.site_key, "goal": str(goal.id)}
    params = {"name": "goal_stats", "arguments": arguments}
    message = {**PING, "method": "tools/call", "params": params}
    result = stranger("POST", "/mcp", message).json()["result"]
    assert result["structuredContent"]["error"] == "Not found"
    assert list(result["structuredContent"]["details"]) == ["site_key"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "part"), [({"goal": "none"}, "goal"), ({"site_key": "none"}, "site_key")]
)
def test_error_says_what_was_not_found(call, site, goal, change, part):
    arguments = {"site_key": site.site_key, "goal": goal.name, **change}
    result = call("goal_stats", **arguments)
    assert list(result["structuredContent"]["details"]) == [part]


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
    assert "Content-Type" not in accepted.headers


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
        assert reader("POST", "/mcp", body).status_code in (200, 400, 422)


@pytest.mark.django_db
@pytest.mark.parametrize("name", [name for name in TOOLS if TOOLS[name].is_of_site])
def test_hostile_argument_is_no_500(change, site, goal, name):
    route = {"site_key": site.site_key, "goal": str(goal.id)}
    known = TOOLS[name].described["inputSchema"]["properties"]
    value: Any
    for argument in (*known, "from", "\0", "é"):
        for value in ("", "\0", [], {}, 10**400, -1, 1.5, True, "x" * 9_000):
            given = {field: route[field] for field in route if field in known}
            result = change(name, **{**given, "dry_run": True, argument: value})
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
    arguments = call_of_each(site, goal)

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
    assert result.structured_content["error"] == "Not found"


# Which pages may ask


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://testserver", 200),
        ("https://testserver:8443", 200),
        ("https://chat.example", 200),
        ("https://chat.example.evil.example", 403),
        ("https://evil.example", 403),
        ("http://chat.example", 403),
        ("https://testserver.evil.example", 403),
        ("https://evil.example/testserver", 403),
        ("ftp://testserver", 403),
        ("testserver", 403),
        ("null", 403),
        ("", 403),
        ("https://[::1", 403),
    ],
)
def test_page_elsewhere_may_not_ask(reader, settings, origin, status):
    settings.MCP_ORIGINS = ["https://chat.example"]
    headers = {} if origin is None else {"Origin": origin}
    answer = reader("POST", "/mcp", PING, headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert list(answer.json()) == ["error"]


@pytest.mark.django_db
def test_goal_that_a_model_makes_is_recorded(site, client_with):
    both = client_with(site.team, "analytics:read", "analytics:write")
    arguments = {"site_key": site.site_key, **GOAL}
    params = {"name": "create_goal", "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    answer = both("POST", "/mcp", message)
    assert answer.status_code == 200, answer.content
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.via) == ("goal.created", "mcp")
    assert entry.actor_type == "key"


@pytest.mark.django_db
def test_schemas_have_filters_by_properties_and_nothing_of_files():
    for tool in TOOLS.values():
        schema = tool.described["inputSchema"]
        takes = jsonschema_rs.validator_for({**schema, "required": []}).is_valid
        assert takes({"props.plan": "pro"}) is ("attribution" in schema["properties"])
        assert not takes({"delimiter": "tab"})
        assert not takes({"props.": "pro"})
