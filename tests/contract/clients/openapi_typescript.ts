// The API by the types that openapi-typescript makes, over fetch.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./openapi-typescript/schema.js";

type Schemas = components["schemas"];

const { CONTRACT_URL, CONTRACT_KEY, CONTRACT_READ_KEY, CONTRACT_SITE } = process.env;
const GOALS = "/api/v1/analytics/sites/{key}/goals";
const GOAL = `${GOALS}/{id}` as const;
const key = CONTRACT_SITE ?? "";
const nowhere = "550e8400-e29b-41d4-a716-446655440000";

const as = (secret = "") =>
  createClient<paths>({
    baseUrl: CONTRACT_URL ?? "",
    headers: { Authorization: `Bearer ${secret}` },
  });

const owner = as(CONTRACT_KEY);
const body: Schemas["GoalRequest"] = {
  name: "Purchase",
  type: "custom",
  match_type: "exact",
  match_value: "purchase",
  currency: "USD",
};

const made = await owner.POST(GOALS, { params: { path: { key } }, body });
assert.ok(made.data);
const goal: Schemas["Goal"] = made.data.data;
const here = { path: { key, id: goal.id } };

const listed = await owner.GET(GOALS, { params: { path: { key } } });
assert.ok(listed.data?.data.some(({ id }) => id === goal.id));
const event = (id: string, amount: number): Schemas["ServerEvent"] => ({
  type: "goal",
  name: "purchase",
  visitor_id: "customer-1",
  id,
  revenue: amount,
  currency: "USD",
});
const EVENTS = "/api/v1/analytics/sites/{key}/events";
const one = await owner.POST(EVENTS, {
  params: { path: { key } },
  body: event("order-1", 1234567.89),
});
assert.equal(one.data?.data[0]?.status, "accepted");
const batch = await owner.POST(EVENTS, {
  params: { path: { key } },
  body: { events: [event("order-2", 0.1), event("order-3", 0.2)] },
});
assert.equal(batch.data?.data.length, 2);
const stats = await owner.GET(`${GOAL}/stats`, {
  params: { ...here, query: { period: "7d" } },
});
assert.equal(stats.data?.data.conversions, 3);
assert.equal(stats.data.data.unique_conversions, 1);
const revenue: number | null = stats.data.data.revenue;
assert.equal(revenue, 1234568.19);
const changed = await owner.PATCH(GOAL, {
  params: here,
  body: { name: "Order", currency: null },
});
assert.equal(changed.data?.data.name, "Order");
assert.equal(changed.data?.data.currency, null);
const deleted = await owner.DELETE(GOAL, { params: here });
assert.equal(deleted.data?.data.deleted, true);

const unknown = await as("kr_live_no").GET(GOALS, { params: { path: { key } } });
assert.equal(unknown.response.status, 401);
assert.equal(unknown.error?.error, "Invalid or missing API key");
const forbidden = await as(CONTRACT_READ_KEY).POST(GOALS, {
  params: { path: { key } },
  body,
});
assert.equal(forbidden.response.status, 403);
assert.equal(forbidden.error?.error, "Insufficient scope");
const missing = await owner.GET(GOAL, { params: { path: { key, id: nowhere } } });
assert.equal(missing.response.status, 404);
assert.equal(missing.error?.error, "Not found");
const wrong = await owner.POST(GOALS, {
  params: { path: { key } },
  body: { ...body, match_type: "regex", match_value: "(" },
});
assert.equal(wrong.response.status, 422);
assert.ok(wrong.error && "details" in wrong.error);
const messages: string[] | undefined = wrong.error.details["match_value"];
assert.ok(messages?.length);

for (;;) {
  const { error, response } = await owner.GET(GOALS, { params: { path: { key } } });
  if (response.status !== 429) continue;
  assert.ok(error && "retry_after" in error);
  const seconds: number = error.retry_after;
  assert.ok(seconds > 0);
  break;
}

console.log(
  JSON.stringify({ operations: 7, errors: [401, 403, 404, 422, 429], money: revenue }),
);
