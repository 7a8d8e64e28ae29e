"""Rate limits: exact over all processes, told in headers, fixed to clock minutes."""

import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest
import time_machine
from django.test import Client

from analytics.access import throttling
from analytics.models import Event, RateWindow
from tests.conftest import BASE, BROWSER
from tests.factories import SiteFactory
from tests.running import running

NOW = datetime(2026, 2, 18, 12, 0, 37, 250_000, tzinfo=UTC)
RESET = int(datetime(2026, 2, 18, 12, 1, tzinfo=UTC).timestamp())
VIEW = {"type": "pageview", "url": "/"}


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def limits(response):
    return tuple(
        int(response.headers[f"x-ratelimit-{name}"])
        for name in ("limit", "remaining", "reset")
    )


# What an answer says


@pytest.mark.django_db
def test_answers_tell_what_is_left(reader, settings, clock):
    settings.RATE_LIMIT_API = 3
    answers = [reader("GET", "/sites") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert [limits(answer) for answer in answers] == [
        (3, 2, RESET),
        (3, 1, RESET),
        (3, 0, RESET),
        (3, 0, RESET),
        (3, 0, RESET),
    ]


@pytest.mark.django_db
def test_refusal_tells_when_to_come_back(reader, settings, clock):
    settings.RATE_LIMIT_API = 1
    reader("GET", "/sites")
    response = reader("GET", "/sites")
    # Twelve o'clock and 37.25 seconds.
    assert response.content == b'{"error":"Rate limit exceeded","retry_after":23}'
    assert response.headers["Retry-After"] == "23"
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.django_db
def test_limit_is_whole_again_with_the_next_clock_minute(reader, settings, clock):
    settings.RATE_LIMIT_API = 2
    seen = []
    for _ in range(4):
        seen.append(reader("GET", "/sites").status_code)
    clock.shift(22.74)
    seen.append(reader("GET", "/sites").status_code)
    clock.shift(0.01)
    for _ in range(3):
        seen.append(reader("GET", "/sites").status_code)
    assert seen == [200, 200, 429, 429, 429, 200, 200, 429]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/sites", 200),
        ("HEAD", "/sites", 200),
        ("OPTIONS", "/sites", 204),
        ("POST", "/sites", 403),
        ("PUT", "/sites", 405),
        ("GET", "/sites/sk_unknownunkno", 404),
        ("GET", "/sites/sk_abc123def456/events?limit=x", 422),
    ],
)
def test_every_answer_to_a_key_counts_and_tells(
    reader, settings, clock, method, path, status
):
    settings.RATE_LIMIT_API = 10
    response = reader(method, path)
    assert response.status_code == status
    assert limits(response) == (10, 9, RESET)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "status"), [("/sites", 401), ("/nothing", 404), ("/sites/", 404)]
)
def test_answer_without_a_key_spends_nothing_and_shows_a_whole_limit(
    settings, clock, path, status
):
    settings.RATE_LIMIT_API = 10
    for _ in range(3):
        response = Client().get(BASE + path)
        assert response.status_code == status
        assert limits(response) == (10, 10, RESET)
    assert not RateWindow.objects.exists()


@pytest.mark.django_db
def test_revoked_key_spends_nothing(reader, site, settings):
    settings.RATE_LIMIT_API = 10
    site.team.tokens.get().revoke()
    assert reader("GET", "/sites").status_code == 401
    assert not RateWindow.objects.exists()


# Whose limit it is


@pytest.mark.django_db
def test_keys_of_a_team_share_one_limit(client_with, site, settings, clock):
    settings.RATE_LIMIT_API = 3
    calls = [client_with(site.team, "*") for _ in range(4)]
    statuses = [call("GET", "/sites").status_code for call in calls]
    assert statuses == [200, 200, 200, 429]


@pytest.mark.django_db
def test_teams_have_limits_of_their_own(reader, stranger, settings, clock):
    settings.RATE_LIMIT_API = 1
    assert reader("GET", "/sites").status_code == 200
    assert reader("GET", "/sites").status_code == 429
    assert stranger("GET", "/sites").status_code == 200


@pytest.mark.django_db
def test_zero_turns_a_limit_off(reader, track, settings):
    settings.RATE_LIMIT_API = settings.RATE_LIMIT_COLLECT = 0
    for _ in range(5):
        response = reader("GET", "/sites")
        assert response.status_code == 200
        assert "x-ratelimit-limit" not in response.headers
        assert track(VIEW).status_code == 202
    assert not RateWindow.objects.exists()


# Collect


@pytest.mark.django_db
def test_address_has_a_limit_at_collect(track, settings, clock):
    settings.RATE_LIMIT_COLLECT = 2
    answers = [track(VIEW, REMOTE_ADDR="192.0.2.1") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert [limits(answer) for answer in answers] == [
        (2, 1, RESET),
        (2, 0, RESET),
        (2, 0, RESET),
    ]
    assert answers[2].content == b'{"error":"Rate limit exceeded","retry_after":23}'
    assert answers[2].headers["Retry-After"] == "23"
    assert answers[2].headers["Access-Control-Allow-Origin"] == "*"
    assert Event.objects.count() == 2
    assert track(VIEW, REMOTE_ADDR="192.0.2.2").status_code == 202
    clock.shift(22.75)
    assert track(VIEW, REMOTE_ADDR="192.0.2.1").status_code == 202


@pytest.mark.django_db
def test_what_is_dropped_or_wrong_counts_too(track, settings, clock):
    settings.RATE_LIMIT_COLLECT = 3
    bodies = [{**VIEW, "site": "sk_unknownunkno"}, b"{", {"type": "x"}, VIEW]
    statuses = [track(body).status_code for body in bodies]
    assert statuses == [202, 400, 422, 429]
    assert track(b"{").status_code == 429


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "body", "status"),
    [("GET", b"", 405), ("OPTIONS", b"", 204), ("POST", b" " * 9_000, 413)],
)
def test_answer_that_spends_nothing_shows_a_whole_limit(
    anyone, settings, clock, method, body, status
):
    settings.RATE_LIMIT_API, settings.RATE_LIMIT_COLLECT = 7, 3
    response = anyone.generic(method, f"{BASE}/collect", body)
    assert (response.status_code, limits(response)) == (status, (3, 3, RESET))


@pytest.mark.django_db
def test_limit_at_collect_is_per_address_over_all_sites(track, site, settings, clock):
    settings.RATE_LIMIT_COLLECT = 2
    other = SiteFactory.create()
    keys = [site.site_key, other.site_key, site.site_key]
    statuses = [track({**VIEW, "site": key}).status_code for key in keys]
    assert statuses == [202, 202, 429]


@pytest.mark.django_db
def test_limits_of_collect_and_keys_are_apart(track, reader, settings, clock):
    settings.RATE_LIMIT_API = settings.RATE_LIMIT_COLLECT = 1
    assert track(VIEW).status_code == 202
    assert reader("GET", "/sites").status_code == 200
    assert track(VIEW).status_code == 429
    assert reader("GET", "/sites").status_code == 429


@pytest.mark.django_db
@pytest.mark.parametrize("proxies", [[], [ip_network("10.0.0.0/8")]])
def test_claimed_address_does_not_get_round_the_limit(track, settings, clock, proxies):
    settings.RATE_LIMIT_COLLECT = 2
    settings.TRUSTED_PROXIES = proxies
    peer = "10.0.0.1" if proxies else "192.0.2.1"
    statuses = [
        track(
            VIEW,
            {"X-Forwarded-For": f"198.51.100.{number}, 192.0.2.1"},
            REMOTE_ADDR=peer,
        ).status_code
        for number in range(4)
    ]
    assert statuses == [202, 202, 429, 429]


@pytest.mark.django_db
def test_clients_of_a_trusted_proxy_have_limits_of_their_own(track, settings, clock):
    settings.RATE_LIMIT_COLLECT = 1
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    statuses = [
        track(VIEW, {"X-Forwarded-For": f"192.0.2.{number}"}, REMOTE_ADDR="10.0.0.1")
        for number in (1, 2, 1)
    ]
    assert [answer.status_code for answer in statuses] == [202, 202, 429]


# The count


@pytest.mark.django_db
def test_uses_are_counted_by_caller_and_minute():
    minute = 29_000_000
    uses = [throttling.spend(caller, minute) for caller in "aabab"]
    assert uses == [1, 2, 1, 3, 2]
    assert throttling.spend("a", minute + 2) == 1
    many = {("a", minute + 2): 5, ("c", minute + 2): 1}
    assert throttling.spend_all(many) == {("a", minute + 2): 6, ("c", minute + 2): 1}


@pytest.mark.django_db
def test_late_process_does_not_bring_back_the_minute_before():
    """It took its minute just before the clock struck, and counts just after."""
    assert [throttling.spend("a", minute) for minute in (7, 7, 8, 7, 8)] == [
        1,
        2,
        1,
        2,
        3,
    ]


@pytest.mark.django_db
def test_counts_of_past_minutes_are_purged(clock):
    minute = throttling.current_minute()
    throttling.spend("past", minute - 1)
    throttling.spend("now", minute)
    assert throttling.purge() == 1
    assert [window.caller for window in RateWindow.objects.all()] == ["now"]


# Over several processes: a real server with two workers


LIMIT, REQUESTS = 25, 70


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with running(
        tmp_path_factory.mktemp("limited"),
        RATE_LIMIT_API=str(LIMIT),
        RATE_LIMIT_COLLECT=str(LIMIT),
        TRUSTED_PROXIES="127.0.0.1",
    ) as service:
        yield service


@pytest.fixture
def minute():
    """Begin early enough in a clock minute to be done within it."""
    left = 60 - time.time() % 60
    if left < 15:
        time.sleep(left)


def at_once(call):
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(call, range(REQUESTS)))


def test_team_gets_exactly_its_limit(service, minute):
    used = LIMIT - int(service("GET", "/sites").headers["x-ratelimit-remaining"])
    answers = at_once(lambda number: service("GET", "/sites"))
    let_in = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status == 429]
    assert (len(let_in), len(refused)) == (LIMIT - used, REQUESTS - LIMIT + used)
    left = [int(answer.headers["x-ratelimit-remaining"]) for answer in let_in]
    assert sorted(left) == list(range(LIMIT - used))
    assert len({answer.headers["x-ratelimit-reset"] for answer in answers}) == 1


def test_address_gets_exactly_its_limit(service, minute):
    def collect(number):
        request = urllib.request.Request(
            f"{service.url}/collect",
            b'{"site": "sk_unknownunkno", "type": "pageview", "url": "/"}',
            {
                "User-Agent": BROWSER,
                # Two clients in turn, each with a claim of its own before it.
                "X-Forwarded-For": f"203.0.113.{number}, 192.0.2.{number % 2}",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    statuses = at_once(collect)
    for client in (0, 1):
        mine = statuses[client::2]
        assert (mine.count(202), mine.count(429)) == (LIMIT, REQUESTS // 2 - LIMIT)


def test_sessions_outlive_a_rotated_secret_key(db, settings):
    from tests.analytics.admin.client import superuser

    browser = superuser()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another" * 10
    assert browser.get("/admin/").status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    browser.cookies.clear()
    assert browser.get("/admin/").status_code == 302
