// The API by the client that hey-api makes.
import assert from "node:assert/strict";
import { createClient } from "./hey-api/client/index.js";
import {
  eventsCreate,
  goalsCreate,
  goalsDelete,
  goalsList,
  goalsStats,
  goalsUpdate,
} from "./hey-api/sdk.gen.js";
import type {
  ErrorBody,
  GoalRequest,
  RateLimitError,
  ServerEvent,
  ValidationError,
} from "./hey-api/types.gen.js";

const { CONTRACT_URL, CONTRACT_KEY, CONTRACT_READ_KEY, CONTRACT_SITE } = process.env;
const path = { key: CONTRACT_SITE ?? "" };
const nowhere = "550e8400-e29b-41d4-a716-446655440000";

const as = (secret = "") => createClient({ baseUrl: CONTRACT_URL ?? "", auth: secret });
const client = as(CONTRACT_KEY);
const body: GoalRequest = {
  name: "Purchase",
  type: "custom",
  match_type: "exact",
  match_value: "purchase",
  currency: "USD",
};
const event = (id: string, amount: number): ServerEvent => ({
  type: "goal",
  name: "purchase",
  visitor_id: "customer-1",
  id,
  revenue: amount,
  currency: "USD",
});

const made = await goalsCreate({ client, path, body, throwOnError: true });
const goal = made.data.data;
const here = { ...path, id: goal.id };
const listed = await goalsList({ client, path, throwOnError: true });
assert.deepEqual(listed.data.data, [goal]);
const one = await eventsCreate({
  client,
  path,
  body: event("order-1", 1234567.89),
  throwOnError: true,
});
assert.equal(one.data.data[0]?.status, "accepted");
const batch = await eventsCreate({
  client,
  path,
  body: { events: [event("order-2", 0.1), event("order-3", 0.2)] },
  throwOnError: true,
});
assert.equal(batch.data.data.length, 2);
const stats = await goalsStats({
  client,
  path: here,
  query: { period: "7d" },
  throwOnError: true,
});
assert.equal(Number(stats.data.data.conversions), 3);
assert.equal(Number(stats.data.data.unique_conversions), 1);
const revenue: number | null = stats.data.data.revenue;
assert.equal(revenue, 1234568.19);
const changed = await goalsUpdate({
  client,
  path: here,
  body: { name: "Order", currency: null },
  throwOnError: true,
});
assert.deepEqual([changed.data.data.name, changed.data.data.currency], ["Order", null]);
const deleted = await goalsDelete({ client, path: here, throwOnError: true });
assert.equal(deleted.data.data.deleted, true);

const unknown = await goalsList({ client: as("kr_live_no"), path });
const unauthorized: ErrorBody | RateLimitError | undefined = unknown.error;
assert.equal(unknown.response?.status, 401);
assert.equal(unauthorized?.error, "Invalid or missing API key");
const forbidden = await goalsCreate({ client: as(CONTRACT_READ_KEY), path, body });
assert.equal(forbidden.response?.status, 403);
assert.equal(forbidden.error?.error, "Insufficient scope");
const missing = await goalsStats({ client, path: { ...path, id: nowhere } });
assert.equal(missing.response?.status, 404);
assert.equal(missing.error?.error, "Not found");
const wrong = await goalsCreate({
  client,
  path,
  body: { ...body, match_type: "regex", match_value: "(" },
});
assert.equal(wrong.response?.status, 422);
assert.ok(wrong.error && "details" in wrong.error);
const invalid: ValidationError = wrong.error;
assert.ok(invalid.details["match_value"]?.length);
for (;;) {
  const { error, response } = await goalsList({ client, path });
  if (response?.status !== 429) continue;
  assert.ok(error && "retry_after" in error);
  const limited: RateLimitError = error;
  assert.ok(Number(limited.retry_after) > 0);
  break;
}

console.log(
  JSON.stringify({ operations: 7, errors: [401, 403, 404, 422, 429], money: revenue }),
);
