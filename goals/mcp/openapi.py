"""The description of the Model Context Protocol endpoint in the OpenAPI document."""

from goals.mcp.protocol import Message
from krafter.openapi.operations import Operation

MCP = {
    "call": Operation(
        summary="Send a Model Context Protocol message",
        description="Accepts one JSON-RPC 2.0 message over stateless Streamable HTTP,"
        " as docs/mcp.md describes. A notification is answered with 202 and no body.",
        body={
            "application/json": {
                "type": "object",
                "properties": {
                    "jsonrpc": {"const": "2.0"},
                    "id": {"type": ["string", "integer"]},
                    "method": {"type": "string"},
                    "params": {"type": "object", "additionalProperties": {}},
                },
                "required": ["jsonrpc", "method"],
            }
        },
        answer={
            200: Message,
            202: None,
            400: Message,
            404: Message,
        },
    ),
}
