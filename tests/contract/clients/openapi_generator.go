// The API by the Go client that openapi-generator makes.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"

	krafter "krafter"
)

var (
	site     = os.Getenv("CONTRACT_SITE")
	nowhere  = "550e8400-e29b-41d4-a716-446655440000"
	purchase = *krafter.NewGoalRequest("Purchase", krafter.GOALTYPE_CUSTOM, krafter.MATCHTYPE_EXACT, "purchase")
	ctx      = context.Background()
	typed    []int
)

func as(secret string) *krafter.APIClient {
	configuration := krafter.NewConfiguration()
	configuration.Servers = krafter.ServerConfigurations{{URL: os.Getenv("CONTRACT_URL")}}
	configuration.AddDefaultHeader("Authorization", "Bearer "+secret)
	return krafter.NewAPIClient(configuration)
}

func must(isTrue bool, what string, more ...any) {
	if !isTrue {
		panic(fmt.Sprintln(append([]any{what}, more...)...))
	}
}

func done[T any](answer T, _ *http.Response, err error) T {
	must(err == nil, "refused", err)
	return answer
}

// The error's body as its own type.
func refused[T any](status int, response *http.Response, err error) T {
	must(err != nil && response.StatusCode == status, "no refusal", status)
	var refusal *krafter.GenericOpenAPIError
	must(errors.As(err, &refusal), "another error", err)
	model, isTyped := refusal.Model().(T)
	must(isTyped, "another type", status)
	typed = append(typed, status)
	return model
}

func event(id string, amount float64) *krafter.ServerEvent {
	sent := krafter.NewServerEvent(krafter.EVENTTYPE_GOAL)
	sent.SetName("purchase")
	sent.SetVisitorId("customer-1")
	sent.SetId(id)
	sent.SetRevenue(krafter.AnyEventRevenue{Float64: &amount})
	sent.SetCurrency("USD")
	return sent
}

func main() {
	owner, reader := as(os.Getenv("CONTRACT_KEY")), as(os.Getenv("CONTRACT_READ_KEY"))
	goals := owner.GoalsAPI
	purchase.SetCurrency("USD")

	made := done(goals.GoalsCreate(ctx, site).GoalRequest(purchase).Execute())
	id := made.Data.Id
	listed := done(goals.GoalsList(ctx, site).Execute())
	must(len(listed.Data) == 1 && listed.Data[0].Id == id, "not listed")

	one := krafter.ServerEventAsSent(event("order-1", 1234567.89))
	outcomes := done(owner.EventsAPI.EventsCreate(ctx, site).Sent(one).Execute())
	must(outcomes.Data[0].Status == krafter.EVENTOUTCOMESTATUS_ACCEPTED, "not accepted")
	batch := krafter.EventBatchAsSent(krafter.NewEventBatch([]krafter.EventBatchEventsInner{
		{ServerEvent: event("order-2", 0.1)}, {ServerEvent: event("order-3", 0.2)},
	}))
	outcomes = done(owner.EventsAPI.EventsCreate(ctx, site).Sent(batch).Execute())
	must(len(outcomes.Data) == 2, "no batch")

	stats := done(goals.GoalsStats(ctx, site, id).Period("7d").Execute()).Data
	must(stats.Conversions == 3 && stats.UniqueConversions == 1, "other counts", stats)
	money := *stats.Revenue.Get()
	must(money == 1234568.19, "inexact money", money)

	changes := krafter.NewPatchedGoalRequest()
	changes.SetName("Order")
	changes.SetCurrencyNil()
	changed := done(goals.GoalsUpdate(ctx, site, id).PatchedGoalRequest(*changes).Execute()).Data
	must(changed.Name == "Order" && changed.Currency.Get() == nil, "not changed")
	must(done(goals.GoalsDelete(ctx, site, id).Execute()).Data.Deleted, "not deleted")

	_, response, err := as("kr_live_no").GoalsAPI.GoalsList(ctx, site).Execute()
	must(refused[krafter.ErrorBody](401, response, err).Error == "Invalid or missing API key", "401")
	_, response, err = reader.GoalsAPI.GoalsCreate(ctx, site).GoalRequest(purchase).Execute()
	must(refused[krafter.ErrorBody](403, response, err).Error == "Insufficient scope", "403")
	_, response, err = goals.GoalsStats(ctx, site, nowhere).Execute()
	must(refused[krafter.ErrorBody](404, response, err).Error == "Not found", "404")
	wrong := purchase
	wrong.MatchType, wrong.MatchValue = krafter.MATCHTYPE_REGEX, "("
	_, response, err = goals.GoalsCreate(ctx, site).GoalRequest(wrong).Execute()
	must(len(refused[krafter.ValidationError](422, response, err).Details["match_value"]) > 0, "422")
	for err = nil; err == nil; {
		_, response, err = goals.GoalsList(ctx, site).Execute()
	}
	must(refused[krafter.RateLimitError](429, response, err).RetryAfter > 0, "429")

	told, _ := json.Marshal(map[string]any{"operations": 7, "errors": typed, "money": money})
	fmt.Println(string(told))
}
