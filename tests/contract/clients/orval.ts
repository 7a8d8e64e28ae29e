// The API by the functions that orval makes; answers are checked by its zod schemas.
import assert from "node:assert/strict";
import {
  eventsCreate,
  goalsCreate,
  goalsDelete,
  goalsList,
  goalsStats,
  goalsUpdate,
  type GoalRequest,
  type ServerEvent,
} from "./orval/api.js";
import {
  eventsCreateResponse,
  goalsDeleteResponse,
  goalsListResponse,
  goalsStatsResponse,
  goalsUpdateResponse,
} from "./orval/zod.js";

const { CONTRACT_URL, CONTRACT_KEY, CONTRACT_READ_KEY } = process.env;
const site = process.env["CONTRACT_SITE"] ?? "";
const nowhere = "550e8400-e29b-41d4-a716-446655440000";

// Its functions ask for paths.
const { fetch } = globalThis;
globalThis.fetch = (path, options) => fetch(`${CONTRACT_URL}${path}`, options);
// Nor do they say what a body is, where an operation takes several media types.
const as = (secret = "") => ({
  headers: { Authorization: `Bearer ${secret}`, "Content-Type": "application/json" },
});

const owner = as(CONTRACT_KEY);
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

const made = await goalsCreate(site, body, owner);
assert.ok(made.status === 201);
const goal = made.data.data;
const listed = await goalsList(site, {}, owner);
assert.deepEqual(goalsListResponse.parse(listed.data).data, [goal]);
const one = await eventsCreate(site, event("order-1", 1234567.89), owner);
assert.equal(eventsCreateResponse.parse(one.data).data[0]?.status, "accepted");
const two = { events: [event("order-2", 0.1), event("order-3", 0.2)] };
const batch = await eventsCreate(site, two, owner);
assert.equal(eventsCreateResponse.parse(batch.data).data.length, 2);
const counted = await goalsStats(site, goal.id, { period: "7d" }, owner);
const stats = goalsStatsResponse.parse(counted.data).data;
assert.deepEqual([stats.conversions, stats.unique_conversions], [3, 1]);
const revenue: number | null = stats.revenue;
assert.equal(revenue, 1234568.19);
const changes = { name: "Order", currency: null };
const changed = goalsUpdateResponse.parse(
  (await goalsUpdate(site, goal.id, changes, {}, owner)).data,
);
assert.deepEqual([changed.data.name, changed.data.currency], ["Order", null]);
const deleted = await goalsDelete(site, goal.id, owner);
assert.equal(goalsDeleteResponse.parse(deleted.data).data.deleted, true);

const unknown = await goalsList(site, {}, as("kr_live_no"));
assert.ok(unknown.status === 401);
assert.equal(unknown.data.error, "Invalid or missing API key");
const forbidden = await goalsCreate(site, body, as(CONTRACT_READ_KEY));
assert.ok(forbidden.status === 403);
assert.equal(forbidden.data.error, "Insufficient scope");
const missing = await goalsStats(site, nowhere, {}, owner);
assert.ok(missing.status === 404);
assert.equal(missing.data.error, "Not found");
const wrong = await goalsCreate(
  site,
  { ...body, match_type: "regex", match_value: "(" },
  owner,
);
assert.ok(wrong.status === 422);
assert.ok(wrong.data.details["match_value"]?.length);
for (;;) {
  const limited = await goalsList(site, {}, owner);
  if (limited.status !== 429) continue;
  assert.ok(limited.data.retry_after > 0);
  break;
}

console.log(
  JSON.stringify({ operations: 7, errors: [401, 403, 404, 422, 429], money: revenue }),
);
