// The API by the client that openapi-generator makes for TypeScript and fetch.
import assert from "node:assert/strict";
import {
  Configuration,
  ErrorBodyFromJSON,
  EventsApi,
  type GoalRequest,
  GoalsApi,
  RateLimitErrorFromJSON,
  ResponseError,
  type ServerEvent,
  ValidationErrorFromJSON,
} from "./typescript-fetch/index.js";

const { CONTRACT_URL, CONTRACT_KEY, CONTRACT_READ_KEY, CONTRACT_SITE } = process.env;
const key = CONTRACT_SITE ?? "";
const nowhere = "550e8400-e29b-41d4-a716-446655440000";

const configured = (secret = "") =>
  new Configuration({ basePath: CONTRACT_URL, accessToken: secret });
const as = (secret = "") => new GoalsApi(configured(secret));

/** The body of the error that a call is refused with, as its own type. */
async function refused<T>(
  status: number,
  read: (json: unknown) => T,
  call: () => Promise<unknown>,
): Promise<T> {
  try {
    await call();
  } catch (error) {
    assert.ok(error instanceof ResponseError);
    assert.equal(error.response.status, status);
    return read(await error.response.json());
  }
  assert.fail(`no ${status}`);
}

const owner = as(CONTRACT_KEY);
const goalRequest: GoalRequest = {
  name: "Purchase",
  type: "custom",
  matchType: "exact",
  matchValue: "purchase",
  currency: "USD",
};

const { data: goal } = await owner.goalsCreate({ key, goalRequest });
const listed = await owner.goalsList({ key });
assert.ok(listed.data.some(({ id }) => id === goal.id));
const event = (id: string, amount: number): ServerEvent => ({
  type: "goal",
  name: "purchase",
  visitorId: "customer-1",
  id,
  revenue: amount,
  currency: "USD",
});
const events = new EventsApi(configured(CONTRACT_KEY));
const one = await events.eventsCreate({ key, sent: event("order-1", 1234567.89) });
assert.equal(one.data[0]?.status, "accepted");
const batch = await events.eventsCreate({
  key,
  sent: { events: [event("order-2", 0.1), event("order-3", 0.2)] },
});
assert.equal(batch.data.length, 2);
const { data: stats } = await owner.goalsStats({ key, id: goal.id, period: "7d" });
assert.deepEqual([stats.conversions, stats.uniqueConversions], [3, 1]);
const revenue: number | null = stats.revenue;
assert.equal(revenue, 1234568.19);
const changed = await owner.goalsUpdate({
  key,
  id: goal.id,
  patchedGoalRequest: { name: "Order", currency: null },
});
assert.equal(changed.data.name, "Order");
assert.equal(changed.data.currency, null);
const deleted = await owner.goalsDelete({ key, id: goal.id });
assert.equal(deleted.data.deleted, true);

const unknown = await refused(401, ErrorBodyFromJSON, () =>
  as("kr_live_no").goalsList({ key }),
);
assert.equal(unknown.error, "Invalid or missing API key");
const forbidden = await refused(403, ErrorBodyFromJSON, () =>
  as(CONTRACT_READ_KEY).goalsCreate({ key, goalRequest }),
);
assert.equal(forbidden.error, "Insufficient scope");
const missing = await refused(404, ErrorBodyFromJSON, () =>
  owner.goalsRetrieve({ key, id: nowhere }),
);
assert.equal(missing.error, "Not found");
const wrong = await refused(422, ValidationErrorFromJSON, () =>
  owner.goalsCreate({
    key,
    goalRequest: { ...goalRequest, matchType: "regex", matchValue: "(" },
  }),
);
assert.ok(wrong.details["match_value"]?.length);
const limited = await refused(429, RateLimitErrorFromJSON, async () => {
  for (;;) await owner.goalsList({ key });
});
assert.ok(limited.retryAfter > 0);

console.log(
  JSON.stringify({ operations: 7, errors: [401, 403, 404, 422, 429], money: revenue }),
);
