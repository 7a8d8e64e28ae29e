"""Counts of limits in a real Redis; without it nobody waits or is refused."""

import logging
import os
import shutil
import signal
import subprocess
import time

import pytest
import redis

from analytics.access import shared_counts, throttling, tokens
from analytics.models import Event, RateWindow
from benchmarks.servers import free_port
from krafter import metrics
from tests.analytics.access.test_attempts import ask

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not shutil.which("redis-server"), reason="needs redis-server"),
]
VIEW = {"type": "pageview", "url": "/"}


class Server:
    def __init__(self, folder):
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.folder = folder
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--save", ""],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
        )
        for _ in range(200):
            try:
                with redis.Redis.from_url(self.url) as client:
                    client.ping()
            except redis.RedisError:
                time.sleep(0.05)
            else:
                return

    def kill(self):
        self.process.kill()
        self.process.wait()

    def freeze(self):
        os.kill(self.process.pid, signal.SIGSTOP)


@pytest.fixture
def server(tmp_path, settings):
    shared_counts.forget()
    server = Server(tmp_path)
    settings.CACHE_URL = server.url
    yield server
    server.kill()
    shared_counts._client(server.url).close()
    shared_counts.forget()


@pytest.fixture(params=["kill", "freeze"])
def absence(request):
    """How Redis goes away."""
    return lambda server: getattr(server, request.param)()


def uncounted():
    return metrics.LIMITS_UNCOUNTED._value.get()


def test_uses_are_counted_by_caller_and_minute(server):
    uses = [throttling.spend(caller, 7) for caller in "aabab"]
    assert uses == [1, 2, 1, 3, 2]
    assert throttling.spend("a", 9) == 1
    many = {("a", 9): 5, ("c", 9): 1}
    assert throttling.spend_all(many) == {("a", 9): 6, ("c", 9): 1}
    assert throttling.spend_all({}) == {}
    assert not RateWindow.objects.exists()


def test_counts_do_not_stay_in_redis(server):
    throttling.spend("a", 7)
    with redis.Redis.from_url(server.url) as client:
        [key] = client.keys()
        assert 0 < client.ttl(key) <= 120


def test_limits_hold_while_it_answers(server, reader, track, settings):
    settings.RATE_LIMIT_API = settings.RATE_LIMIT_COLLECT = 1
    throttling.spend("warm", 0)
    assert [reader("GET", "/sites").status_code for _ in range(2)] == [200, 429]
    assert [track(VIEW).status_code for _ in range(2)] == [202, 429]


def test_without_it_nobody_is_refused_and_nobody_waits(
    server, reader, track, settings, absence, caplog
):
    settings.RATE_LIMIT_API = settings.RATE_LIMIT_COLLECT = 1
    assert [reader("GET", "/sites").status_code for _ in range(2)] == [200, 429]
    track(VIEW)
    Event.objects.all().delete()
    absence(server)
    before = uncounted()
    begun = time.monotonic()
    for _ in range(5):
        response = reader("GET", "/sites")
        assert response.status_code == 200
        assert response.headers["x-ratelimit-remaining"] == "0"
        assert track(VIEW).status_code == 202
    # One waited for the answer that did not come.
    assert time.monotonic() - begun < 1.5
    assert Event.objects.count() == 5
    assert uncounted() - before == 10
    assert not RateWindow.objects.exists()
    [line] = [each for each in caplog.records if "Redis" in each.message]
    assert line.levelno == logging.ERROR


def test_guesses_are_counted_in_the_table_without_it(server, settings, absence):
    settings.RATE_LIMIT_UNKNOWN_KEYS = 2
    absence(server)
    statuses = [ask(tokens.new_token()).status_code for _ in range(4)]
    assert statuses == [401, 401, 429, 429]
    assert RateWindow.objects.count() == 1


def test_it_is_used_again_when_it_is_back(server, monkeypatch, caplog):
    monkeypatch.setattr(shared_counts, "_PAUSE_SECONDS", 0.2)
    throttling.spend("a", 7)
    server.kill()
    assert throttling.spend("a", 7) == 1
    server.start()
    assert throttling.spend("a", 7) == 1
    time.sleep(0.3)
    assert [throttling.spend("a", 7) for _ in range(3)] == [1, 2, 3]
    told = [each.message for each in caplog.records if "Redis" in each.message]
    assert len(told) == 2
    assert told[1] == "Redis is back, limits are counted again"


def test_it_may_come_and_go_and_few_lines_say_so(server, monkeypatch, caplog, settings):
    """A worker of two has half of the ten lines a minute, and ends what it began."""
    settings.WORKERS = 2
    monkeypatch.setattr(shared_counts, "_PAUSE_SECONDS", 0.0)
    for _ in range(5):
        server.kill()
        throttling.spend("a", 7)
        server.start()
        throttling.spend("a", 7)
    told = [each.message[:13] for each in caplog.records if "Redis" in each.message]
    assert told == ["Redis is away", "Redis is back"] * 2


def test_what_several_commits_spend_at_once_is_counted_within_each(server):
    """A commit of five requests of one address: the fifth is told so."""
    server.kill()
    assert throttling.spend_all({("a", 7): 5}) == {("a", 7): 5}
