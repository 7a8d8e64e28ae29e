"""What the OpenAPI document says of the Model Context Protocol."""

from goals.mcp.protocol import Message
from krafter.openapi.operations import Operation

MCP = {
    "call": Operation(
        summary="Ask by the Model Context Protocol",
        description="One message of JSON-RPC 2.0 over Streamable HTTP, stateless."
        " See docs/mcp.md. A notification is answered 202 without a body.",
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
