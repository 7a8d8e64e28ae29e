"""What a monitor is told, of all workers together."""

import json
import re
import subprocess
import sys

import pytest

from tests.conftest import BROWSER
from tests.running import running

KEY = "a-key-for-the-monitor"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("metrics")
    with running(
        folder, workers=2, METRICS_KEY=KEY, RATE_LIMIT_COLLECT="50"
    ) as service:
        yield service


def numbers(service):
    answer = service.open("/metrics", Authorization=f"Bearer {KEY}")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    lines = answer.body.decode().splitlines()
    return {
        name: float(value)
        for name, _, value in (line.rpartition(" ") for line in lines)
        if not name.startswith("#")
    }


def collect(service, event, **headers):
    body = json.dumps(event).encode()
    sent = {"User-Agent": BROWSER, "Content-Type": "text/plain", **headers}
    return service.send("POST", "/collect", body, sent).status


def test_workers_are_summed(service):
    site = service.new_site()
    before = numbers(service)
    event = {"site": site, "type": "event", "name": "a", "id": "1"}
    statuses = [collect(service, {**event, "id": str(n)}) for n in range(20)]
    statuses.append(collect(service, event))
    statuses.append(collect(service, event, **{"User-Agent": "curl/8.0"}))
    assert statuses == [202] * 22
    # The minute of the limit may end meanwhile, and another 50 are allowed.
    statuses = [collect(service, event)]
    while 429 not in statuses and len(statuses) < 200:
        statuses.append(collect(service, event))
    after = numbers(service)

    def added(name):
        return after.get(name, 0) - before.get(name, 0)

    assert added("krafter_events_accepted_total") == 20
    assert added('krafter_events_dropped_total{rule="crawler"}') == 1
    assert added("krafter_events_duplicate_total") == 1 + statuses.count(202)
    assert added('krafter_limited_total{limit="collect"}') == statuses.count(429) > 0
    assert added("krafter_commit_requests_count") > 0
    assert added("krafter_commit_seconds_count") == added(
        "krafter_commit_requests_count"
    )
    assert after["krafter_last_commit_timestamp_seconds"] > 1_700_000_000
    assert after["krafter_oldest_salt_timestamp_seconds"] >= 0
    assert after["krafter_database_up"] == 1


def test_database_is_up_until_a_worker_finds_otherwise():
    told = "from krafter import metrics; print(metrics.text().decode())"
    command = [sys.executable, "-c", told]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "\nkrafter_database_up 1.0\n" in shown


def test_questions_are_timed_by_route(service):
    assert service("GET", "/sites").status == 200
    found = [name for name in numbers(service) if "question_seconds_count" in name]
    assert any("analytics/sites" in name for name in found)
    # A route, never what was asked for.
    assert not any(re.search("sk_[a-z0-9]{12}", name) for name in found)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer other"}])
def test_others_are_told_nothing(service, headers):
    assert service.open("/metrics", **headers).status == 404


def test_networks_may_look_without_the_key(tmp_path):
    with running(tmp_path, workers=1, METRICS_NETWORKS="127.0.0.0/8") as service:
        assert service.open("/metrics").status == 200
