"""The Model Context Protocol over Streamable HTTP. Pure.

Answers one JSON-RPC message with at most one message; there are no sessions and no
streams. Clients up to version 2025-11-25 begin with `initialize`; from 2026-07-28
on each request carries the version in `_meta` and in headers.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from msgspec import UNSET, UnsetType

from krafter.answers import Whole

HANDSHAKE_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26")
STATELESS_VERSIONS = ("2026-07-28",)
VERSIONS = (*STATELESS_VERSIONS, *HANDSHAKE_VERSIONS)

INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
HEADER_MISMATCH = -32020
UNSUPPORTED_VERSION = -32022
# The product's own error code.
UNKNOWN_TOOL = -32001
INSUFFICIENT_SCOPE = -32002

_META = "io.modelcontextprotocol/"
_META_VERSION = f"{_META}protocolVersion"
_META_CAPABILITIES = f"{_META}clientCapabilities"
# How long clients may cache the list of tools.
_FRESH_MS = 3_600_000

Json = dict[str, Any]


class ProtocolError(Exception):
    """An error that is answered as a JSON-RPC error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class Server(NamedTuple):
    """`call` takes a tool's name and arguments, and returns the tool's result.

    It raises ProtocolError for a tool that does not exist or is not available to the
    caller.
    """

    info: Json
    instructions: str
    tools: Callable[[], list[Json]]
    call: Callable[[str, Json], Json]


class Message(Whole):
    """A JSON-RPC 2.0 response with `result` or `error`.

    A request that fails before its message is read is answered with `error` only, a
    human-readable message.
    """

    jsonrpc: str | UnsetType = UNSET
    id: Any = UNSET
    result: Any = UNSET
    error: Any = UNSET


class Answer(NamedTuple):
    """An HTTP status and body; None for an empty body."""

    status: int
    body: Message | None = None


def answer(message: Json, headers: Mapping[str, str], server: Server) -> Answer:
    """Return the answer to one message with its HTTP headers."""
    id = message.get("id")
    is_stateless = False
    try:
        if _needs_no_answer(message):
            return Answer(202)
        _check_shape(message)
        is_stateless = _check_version(message, headers)
        result = _result(message, server, is_stateless=is_stateless)
    except ProtocolError as error:
        return Answer(_status(error.code, is_stateless), _error(id, error))
    return Answer(200, Message("2.0", id, result))


def _error(id: Any, error: ProtocolError) -> Message:
    said: Json = {"code": error.code, "message": error.message}
    if error.data is not None:
        said["data"] = error.data
    # Only strings and integers are valid ids; null means there was none.
    known = id if isinstance(id, str | int) and not isinstance(id, bool) else None
    return Message("2.0", known, error=said)


def _status(code: int, is_stateless: bool) -> int:
    if code in (INVALID_REQUEST, HEADER_MISMATCH, UNSUPPORTED_VERSION):
        return 400
    if not is_stateless:
        return 200
    return 404 if code == METHOD_NOT_FOUND else 400


def _needs_no_answer(message: Json) -> bool:
    """Return whether it is a notification or a response, which are not answered."""
    if message.get("jsonrpc") != "2.0":
        return False
    if "method" in message:
        return "id" not in message and _names_a_method(message)
    return "id" in message and ("result" in message or "error" in message)


def _check_shape(message: Json) -> None:
    id = message.get("id")
    if (
        message.get("jsonrpc") != "2.0"
        or not _names_a_method(message)
        or not isinstance(id, str | int)
        or isinstance(id, bool)
    ):
        raise ProtocolError(INVALID_REQUEST, "Not a JSON-RPC 2.0 request")


def _names_a_method(message: Json) -> bool:
    # JSON-RPC also allows a list of parameters, MCP does not.
    has_parameters = isinstance(message.get("params", {}), dict)
    return has_parameters and isinstance(message.get("method"), str)


def _check_version(message: Json, headers: Mapping[str, str]) -> bool:
    """Return whether the request uses a version without a handshake."""
    said = headers.get("MCP-Protocol-Version")
    meta = message.get("params", {}).get("_meta")
    meta = meta if isinstance(meta, dict) else {}
    is_stateless = said in STATELESS_VERSIONS or _META_VERSION in meta
    if not is_stateless:
        if said is not None and said not in HANDSHAKE_VERSIONS:
            raise _unsupported(said)
        return False
    if missing := [k for k in (_META_VERSION, _META_CAPABILITIES) if k not in meta]:
        raise ProtocolError(INVALID_REQUEST, f"_meta lacks {', '.join(missing)}")
    if said is None or said != meta[_META_VERSION]:
        raise ProtocolError(
            HEADER_MISMATCH, "MCP-Protocol-Version is not the version in _meta"
        )
    if headers.get("Mcp-Method") != message["method"]:
        raise ProtocolError(HEADER_MISMATCH, "Mcp-Method is not the method")
    name = message["params"].get("name")
    if message["method"] == "tools/call" and headers.get("Mcp-Name") != name:
        raise ProtocolError(HEADER_MISMATCH, "Mcp-Name is not the tool's name")
    if said not in STATELESS_VERSIONS:
        raise _unsupported(said)
    return True


def _unsupported(version: str) -> ProtocolError:
    data = {"supported": list(VERSIONS), "requested": version}
    return ProtocolError(UNSUPPORTED_VERSION, "Unsupported protocol version", data)


def _result(message: Json, server: Server, *, is_stateless: bool) -> Json:
    params: Json = message.get("params", {})
    complete = {"resultType": "complete"} if is_stateless else {}
    lasting = (
        {**complete, "ttlMs": _FRESH_MS, "cacheScope": "private"}
        if is_stateless
        else {}
    )
    capabilities: Json = {"tools": {}}
    match message["method"]:
        case "initialize" if not is_stateless:
            asked = params.get("protocolVersion")
            return {
                "protocolVersion": (
                    asked if asked in HANDSHAKE_VERSIONS else HANDSHAKE_VERSIONS[0]
                ),
                "capabilities": capabilities,
                "serverInfo": server.info,
                "instructions": server.instructions,
            }
        case "server/discover" if is_stateless:
            return {
                **lasting,
                "supportedVersions": list(VERSIONS),
                "capabilities": capabilities,
                "instructions": server.instructions,
                "_meta": {f"{_META}serverInfo": server.info},
            }
        case "ping":
            return complete
        case "tools/list":
            return {**lasting, "tools": server.tools()}
        case "tools/call":
            return {**complete, **_call(params, server)}
    raise ProtocolError(METHOD_NOT_FOUND, f"No such method: {message['method']}")


def _call(params: Json, server: Server) -> Json:
    name, arguments = params.get("name"), params.get("arguments")
    if not isinstance(name, str):
        raise ProtocolError(INVALID_PARAMS, "name must be the name of a tool")
    if not isinstance(arguments, dict | None):
        raise ProtocolError(INVALID_PARAMS, "arguments must be an object")
    return server.call(name, arguments or {})
