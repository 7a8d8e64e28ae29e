// The API by the Java client that openapi-generator makes (library `native`).

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.math.BigDecimal;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.EventsApi;
import org.openapitools.client.api.GoalsApi;
import org.openapitools.client.model.*;

public class OpenApiGenerator {
  static final String SITE = System.getenv("CONTRACT_SITE");
  static final UUID NOWHERE = UUID.fromString("550e8400-e29b-41d4-a716-446655440000");
  static final ObjectMapper JSON = new ObjectMapper();
  // Named, since the order of parameters changes where there is a new one.
  static final GoalsApi.APIGoalsListRequest ALL =
      GoalsApi.APIGoalsListRequest.newBuilder().key(SITE).build();
  static final List<Integer> TYPED = new ArrayList<>();

  /** A change that clears the currency: without JsonNullable, null is "leave it". */
  static class ClearedCurrency extends PatchedGoalRequest {
    @Override
    @JsonInclude(JsonInclude.Include.ALWAYS)
    public String getCurrency() {
      return null;
    }
  }

  interface Call {
    void run() throws ApiException;
  }

  static ApiClient as(String secret) {
    ApiClient client = new ApiClient();
    client.updateBaseUri(System.getenv("CONTRACT_URL"));
    client.setRequestInterceptor(
        request -> request.header("Authorization", "Bearer " + secret));
    return client;
  }

  static void must(boolean isTrue, String what) {
    if (!isTrue) throw new AssertionError(what);
  }

  static <T> T refused(int status, Class<T> type, Call call) throws Exception {
    try {
      call.run();
    } catch (ApiException error) {
      must(error.getCode() == status, error.getCode() + " is not " + status);
      TYPED.add(status);
      return ApiClient.createDefaultObjectMapper().readValue(error.getResponseBody(), type);
    }
    throw new AssertionError("no " + status);
  }

  static ServerEvent event(String id, double amount) {
    return new ServerEvent()
        .type(EventType.GOAL)
        .name("purchase")
        .visitorId("customer-1")
        .id(id)
        .revenue(new AnyEventRevenue(amount))
        .currency("USD");
  }

  static GoalStats stats(GoalsApi goals, UUID id) throws ApiException {
    GoalsApi.APIGoalsStatsRequest request =
        GoalsApi.APIGoalsStatsRequest.newBuilder().key(SITE).id(id).period("7d").build();
    return goals.goalsStats(request).getData();
  }

  public static void main(String[] arguments) throws Exception {
    ApiClient owner = as(System.getenv("CONTRACT_KEY"));
    GoalsApi goals = new GoalsApi(owner);
    EventsApi events = new EventsApi(owner);
    GoalsApi reader = new GoalsApi(as(System.getenv("CONTRACT_READ_KEY")));
    GoalRequest body =
        new GoalRequest()
            .name("Purchase")
            .type(GoalType.CUSTOM)
            .matchType(MatchType.EXACT)
            .matchValue("purchase")
            .currency("USD");

    Goal goal = goals.goalsCreate(SITE, body, null).getData();
    must(goals.goalsList(ALL).getData().equals(List.of(goal)), "list");
    Sent one = new Sent(event("order-1", 1234567.89));
    EventOutcome outcome = events.eventsCreate(SITE, one, null).getData().get(0);
    must(outcome.getStatus() == EventOutcomeStatus.ACCEPTED, "not accepted");
    EventBatch batch = new EventBatch();
    batch.addEventsItem(new EventBatchEventsInner(event("order-2", 0.1)));
    batch.addEventsItem(new EventBatchEventsInner(event("order-3", 0.2)));
    must(events.eventsCreate(SITE, new Sent(batch), null).getData().size() == 2, "no batch");
    GoalStats stats = stats(goals, goal.getId());
    must(stats.getConversions() == 3 && stats.getUniqueConversions() == 1, "other counts");
    must(stats.getRevenue() == 1234568.19, "inexact money: " + stats.getRevenue());
    PatchedGoalRequest changes = new ClearedCurrency().name("Order");
    GoalsApi.APIGoalsUpdateRequest change =
        GoalsApi.APIGoalsUpdateRequest.newBuilder()
            .key(SITE)
            .id(goal.getId())
            .patchedGoalRequest(changes)
            .build();
    Goal changed = goals.goalsUpdate(change).getData();
    must(changed.getName().equals("Order") && changed.getCurrency() == null, "not changed");
    must(goals.goalsDelete(SITE, goal.getId(), null).getData().getDeleted(), "not deleted");

    GoalsApi unknown = new GoalsApi(as("kr_live_no"));
    String said =
        refused(401, ErrorBody.class, () -> unknown.goalsList(ALL))
            .getError();
    must(said.equals("Invalid or missing API key"), said);
    said = refused(403, ErrorBody.class, () -> reader.goalsCreate(SITE, body, null)).getError();
    must(said.equals("Insufficient scope"), said);
    said = refused(404, ErrorBody.class, () -> stats(goals, NOWHERE)).getError();
    must(said.equals("Not found"), said);
    body.matchType(MatchType.REGEX).matchValue("(");
    ValidationError wrong =
        refused(422, ValidationError.class, () -> goals.goalsCreate(SITE, body, null));
    must(!wrong.getDetails().get("match_value").isEmpty(), "another 422");
    RateLimitError limited =
        refused(
            429,
            RateLimitError.class,
            () -> {
              for (; ; ) goals.goalsList(ALL);
            });
    must(limited.getRetryAfter() > 0, "another 429");

    System.out.println(
        JSON.writeValueAsString(
            Map.of(
                "operations", 7,
                "errors", TYPED,
                "money", BigDecimal.valueOf(stats.getRevenue()))));
  }
}
