# frozen_string_literal: true

# The API by the Ruby client that openapi-generator makes.
require 'json'
require 'uri'
require 'openapi_client'

SITE = ENV.fetch('CONTRACT_SITE')
NOWHERE = '550e8400-e29b-41d4-a716-446655440000'
TYPED = []

def client(secret)
  configuration = OpenapiClient::Configuration.new
  address = URI(ENV.fetch('CONTRACT_URL'))
  configuration.scheme = address.scheme
  configuration.host = "#{address.host}:#{address.port}"
  configuration.server_index = nil
  configuration.access_token = secret
  OpenapiClient::ApiClient.new(configuration)
end

def must(is_true, what)
  raise what unless is_true
end

# The body of the refusal as its own type.
def refused(status, type)
  yield
rescue OpenapiClient::ApiError => e
  must(e.code == status, "#{e.code} is not #{status}")
  TYPED << status
  type.build_from_hash(JSON.parse(e.response_body, symbolize_names: true))
else
  raise "no #{status}"
end

def event(id, amount)
  OpenapiClient::ServerEvent.new(
    type: OpenapiClient::EventType::GOAL, name: 'purchase', visitor_id: 'customer-1',
    id: id, revenue: amount, currency: 'USD'
  )
end

owner = client(ENV.fetch('CONTRACT_KEY'))
goals = OpenapiClient::GoalsApi.new(owner)
events = OpenapiClient::EventsApi.new(owner)
reader = OpenapiClient::GoalsApi.new(client(ENV.fetch('CONTRACT_READ_KEY')))
body = OpenapiClient::GoalRequest.new(
  name: 'Purchase', type: OpenapiClient::GoalType::CUSTOM,
  match_type: OpenapiClient::MatchType::EXACT, match_value: 'purchase', currency: 'USD'
)
must(OpenapiClient::Scope::EVERYTHING == '*', 'no name for all scopes')

goal = goals.goals_create(SITE, body).data
must(goals.goals_list(SITE).data == [goal], 'not listed')
one = events.events_create(SITE, event('order-1', 1_234_567.89)).data
must(one.map(&:status) == ['accepted'], 'not accepted')
batch = OpenapiClient::EventBatch.new(events: [event('order-2', 0.1), event('order-3', 0.2)])
must(events.events_create(SITE, batch).data.size == 2, 'no batch')
stats = goals.goals_stats(SITE, goal.id, period: '7d').data
must([stats.conversions, stats.unique_conversions] == [3, 1], 'other counts')
must(stats.revenue == 1_234_568.19, "inexact money: #{stats.revenue}")
changes = OpenapiClient::PatchedGoalRequest.new(name: 'Order', currency: nil)
changed = goals.goals_update(SITE, goal.id, changes).data
must([changed.name, changed.currency] == ['Order', nil], 'not changed')
must(goals.goals_delete(SITE, goal.id).data.deleted, 'not deleted')

unknown = OpenapiClient::GoalsApi.new(client('kr_live_no'))
error = refused(401, OpenapiClient::ErrorBody) { unknown.goals_list(SITE) }
must(error.error == 'Invalid or missing API key', 'another 401')
error = refused(403, OpenapiClient::ErrorBody) { reader.goals_create(SITE, body) }
must(error.error == 'Insufficient scope', 'another 403')
error = refused(404, OpenapiClient::ErrorBody) { goals.goals_stats(SITE, NOWHERE) }
must(error.error == 'Not found', 'another 404')
body.match_type = OpenapiClient::MatchType::REGEX
body.match_value = '('
error = refused(422, OpenapiClient::ValidationError) { goals.goals_create(SITE, body) }
messages = error.details.transform_keys(&:to_s)['match_value']
must(!messages.empty?, 'another 422')
error = refused(429, OpenapiClient::RateLimitError) { loop { goals.goals_list(SITE) } }
must(error.retry_after.positive?, 'another 429')

puts JSON.generate(operations: 7, errors: TYPED, money: stats.revenue)
