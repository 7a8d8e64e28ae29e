<?php

// The API by the PHP client that openapi-generator makes.

declare(strict_types=1);

use OpenAPI\Client\Api\EventsApi;
use OpenAPI\Client\Api\GoalsApi;
use OpenAPI\Client\ApiException;
use OpenAPI\Client\Configuration;
use OpenAPI\Client\Model\ErrorBody;
use OpenAPI\Client\Model\EventBatch;
use OpenAPI\Client\Model\EventOutcomeStatus;
use OpenAPI\Client\Model\EventType;
use OpenAPI\Client\Model\GoalRequest;
use OpenAPI\Client\Model\GoalType;
use OpenAPI\Client\Model\MatchType;
use OpenAPI\Client\Model\PatchedGoalRequest;
use OpenAPI\Client\Model\RateLimitError;
use OpenAPI\Client\Model\ServerEvent;
use OpenAPI\Client\Model\ValidationError;

require '/usr/share/php/GuzzleHttp/autoload.php';
spl_autoload_register(function (string $class): void {
    $file = getenv('CONTRACT_CLIENT') . '/lib/'
        . strtr(substr($class, strlen('OpenAPI\\Client\\')), '\\', '/') . '.php';
    if (str_starts_with($class, 'OpenAPI\\Client\\') && is_file($file)) {
        require $file;
    }
});

const NOWHERE = '550e8400-e29b-41d4-a716-446655440000';
$site = getenv('CONTRACT_SITE');
$typed = [];

function as_(string $secret): Configuration
{
    return (new Configuration())
        ->setHost(getenv('CONTRACT_URL'))
        ->setAccessToken($secret);
}

function must(bool $isTrue, string $what): void
{
    $isTrue || throw new Exception($what);
}

/** The body of the refusal, which is of this type. */
function refused(int $status, string $type, callable $call): mixed
{
    global $typed;
    try {
        $call();
    } catch (ApiException $error) {
        $body = $error->getResponseObject();
        must($error->getCode() === $status, "{$error->getCode()} is not $status");
        must($body instanceof $type, "a $status of another type");
        $typed[] = $status;
        return $body;
    }
    throw new Exception("no $status");
}

function event(string $id, float $amount): ServerEvent
{
    return new ServerEvent([
        'type' => EventType::GOAL, 'name' => 'purchase', 'visitor_id' => 'customer-1',
        'id' => $id, 'revenue' => $amount, 'currency' => 'USD',
    ]);
}

$owner = as_(getenv('CONTRACT_KEY'));
$goals = new GoalsApi(null, $owner);
$events = new EventsApi(null, $owner);
$reader = new GoalsApi(null, as_(getenv('CONTRACT_READ_KEY')));
$body = new GoalRequest([
    'name' => 'Purchase', 'type' => GoalType::CUSTOM, 'match_type' => MatchType::EXACT,
    'match_value' => 'purchase', 'currency' => 'USD',
]);

$goal = $goals->goalsCreate($site, $body)->getData();
must($goals->goalsList($site)->getData() == [$goal], 'not listed');
$one = $events->eventsCreate($site, event('order-1', 1234567.89))->getData();
must($one[0]->getStatus() === EventOutcomeStatus::ACCEPTED, 'not accepted');
$batch = new EventBatch(['events' => [event('order-2', 0.1), event('order-3', 0.2)]]);
must(count($events->eventsCreate($site, $batch)->getData()) === 2, 'no batch');
$stats = $goals->goalsStats($site, $goal->getId(), period: '7d')->getData();
must($stats->getConversions() === 3 && $stats->getUniqueConversions() === 1, 'counts');
must($stats->getRevenue() === 1234568.19, "inexact money: {$stats->getRevenue()}");
$changes = (new PatchedGoalRequest())->setName('Order')->setCurrency(null);
$changed = $goals->goalsUpdate($site, $goal->getId(), $changes)->getData();
must($changed->getName() === 'Order' && $changed->getCurrency() === null, 'not changed');
must($goals->goalsDelete($site, $goal->getId())->getData()->getDeleted(), 'not deleted');

$unknown = new GoalsApi(null, as_('kr_live_no'));
$error = refused(401, ErrorBody::class, fn () => $unknown->goalsList($site));
must($error->getError() === 'Invalid or missing API key', 'another 401');
$error = refused(403, ErrorBody::class, fn () => $reader->goalsCreate($site, $body));
must($error->getError() === 'Insufficient scope', 'another 403');
$error = refused(404, ErrorBody::class, fn () => $goals->goalsStats($site, NOWHERE));
must($error->getError() === 'Not found', 'another 404');
$body->setMatchType(MatchType::REGEX)->setMatchValue('(');
$error = refused(422, ValidationError::class, fn () => $goals->goalsCreate($site, $body));
must(count($error->getDetails()['match_value']) > 0, 'another 422');
$error = refused(429, RateLimitError::class, function () use ($goals, $site): void {
    for (;;) {
        $goals->goalsList($site);
    }
});
must($error->getRetryAfter() > 0, 'another 429');

ini_set('serialize_precision', '-1');
echo json_encode(
    ['operations' => 7, 'errors' => $typed, 'money' => $stats->getRevenue()]
), "\n";
