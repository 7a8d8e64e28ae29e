// The MCP server by both lines of the TypeScript SDK: with a handshake, and without.
import assert from "node:assert/strict";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client as FirstClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as FirstTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const { CONTRACT_KEY, CONTRACT_READ_KEY, CONTRACT_URL, MCP_CALLS } = process.env;
const url = new URL(`${CONTRACT_URL}/api/v1/analytics/mcp`);
const calls: Record<string, Record<string, unknown>> = JSON.parse(MCP_CALLS ?? "{}");

const withKey = (secret = "") => ({
  requestInit: { headers: { Authorization: `Bearer ${secret}` } },
});
const me = { name: "contract", version: "1" };

async function byFirst(secret?: string) {
  const client = new FirstClient(me);
  const transport = new FirstTransport(url, withKey(secret));
  await client.connect(transport);
  return { client, version: transport.protocolVersion };
}

async function bySecond(secret?: string) {
  const client = new Client(me, { versionNegotiation: { mode: "auto" } });
  await client.connect(new StreamableHTTPClientTransport(url, withKey(secret)));
  return { client, version: client.getNegotiatedProtocolVersion() };
}

async function walk(connect: typeof byFirst | typeof bySecond) {
  const { client, version } = await connect(CONTRACT_KEY);
  const { name, version: release } = client.getServerVersion() ?? {};
  assert.deepEqual([name, release], ["krafter", "1.0.0"]);
  const { tools } = await client.listTools();
  assert.deepEqual(
    tools.map((tool) => tool.name).sort(),
    Object.keys(calls).sort(),
  );
  // Both check what is structured against the schema of the tool's output.
  for (const [name, given] of Object.entries(calls)) {
    const result = await client.callTool({ name, arguments: given });
    assert.ok(!result.isError, `${name}: ${JSON.stringify(result)}`);
  }
  const nowhere = { name: "list_goals", arguments: { site_key: "sk_none" } };
  const wrong = await client.callTool(nowhere);
  assert.ok(wrong.isError);
  assert.match(JSON.stringify(wrong.structuredContent), /"details":\{"site_key":/);
  const unknown = client.callTool({ name: "nonesuch", arguments: {} });
  await assert.rejects(unknown, { code: -32001 });
  await client.close();

  const reader = await connect(CONTRACT_READ_KEY);
  const offered = (await reader.client.listTools()).tools;
  assert.ok(offered.every((tool) => tool.annotations?.readOnlyHint));
  const write = { name: "create_goal", arguments: calls["create_goal"] ?? {} };
  await assert.rejects(reader.client.callTool(write), { code: -32002 });
  await reader.client.close();
  return { version, tools: tools.length };
}

console.log(JSON.stringify([await walk(byFirst), await walk(bySecond)]));
