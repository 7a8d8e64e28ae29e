"""Keys at the door: every way to fail is one 401; use is noted once a minute."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from analytics.access import tokens
from analytics.models import ApiToken

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 2, 18, 12, 0, 30, tzinfo=UTC)
URL = "/api/v1/analytics/sites"


@pytest.fixture
def issue(site):
    """Make a key of the site's team; the key and its secret."""

    def issue(**values):
        return ApiToken.issue(team=site.team, name="k", scopes=["*"], **values)

    return issue


def ask(authorization=None):
    headers = {} if authorization is None else {"Authorization": authorization}
    return Client().get(URL, headers=headers)


def assert_unauthorized(response):
    assert response.status_code == 401
    assert response.content == b'{"error":"Invalid or missing API key"}'
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_key_is_let_in(issue):
    _, secret = issue()
    assert ask(f"Bearer {secret}").status_code == 200


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_scheme_is_read_as_http_says(issue, scheme):
    _, secret = issue()
    assert ask(f"{scheme} {secret}").status_code == 200


def test_missing_key_is_401(site):
    assert_unauthorized(ask())


@pytest.mark.parametrize(
    "mangle",
    [
        lambda secret: "",
        lambda secret: "Bearer",
        lambda secret: "Bearer ",
        lambda secret: secret,
        lambda secret: f"Basic {secret}",
        lambda secret: f"Token {secret}",
        lambda secret: f"Bearer{secret}",
        lambda secret: f"Bearer {secret} {secret}",
        lambda secret: f"Bearer {secret}, Bearer {secret}",
        lambda secret: f'Bearer "{secret}"',
        lambda secret: f"Bearer {secret[:-1]}",
        lambda secret: f"Bearer {secret}a",
        lambda secret: f"Bearer {secret.upper()}",
        lambda secret: f"Bearer {secret.removeprefix('kr_live_')}",
        lambda secret: f"Bearer {secret[:12]}",
        lambda secret: f"Bearer {tokens.digest(secret)}",
        lambda secret: f"Bearer {tokens.new_token()}",
        lambda secret: "Bearer \xff\xfe",
        lambda secret: "Bearer kr_live_" + "\x00" * 43,
        lambda secret: "Bearer " + "x" * 10_000,
        lambda secret: "Bearer ' OR 1=1 --",
    ],
)
def test_wrong_key_is_the_same_401(issue, mangle):
    _, secret = issue()
    assert_unauthorized(ask(mangle(secret)))


def test_site_key_is_no_key(site):
    assert_unauthorized(ask(f"Bearer {site.site_key}"))


def test_key_in_the_query_is_no_key(issue):
    _, secret = issue()
    for name in ("token", "api_key", "access_token", "key"):
        assert_unauthorized(Client().get(f"{URL}?{name}={secret}"))


def test_revoked_key_is_the_same_401(issue):
    token, secret = issue()
    token.revoke()
    assert_unauthorized(ask(f"Bearer {secret}"))


def test_expired_key_is_the_same_401(issue):
    with time_machine.travel(NOW, tick=False) as clock:
        _, secret = issue(expires_at=NOW + timedelta(seconds=10))
        clock.shift(9)
        assert ask(f"Bearer {secret}").status_code == 200
        clock.shift(1)
        assert_unauthorized(ask(f"Bearer {secret}"))


def test_refused_answers_differ_in_nothing(issue):
    revoked, secret = issue()
    revoked.revoke()
    with time_machine.travel(NOW, tick=False):
        answers = [
            ask(),
            ask("Bearer x"),
            ask(f"Bearer {tokens.new_token()}"),
            ask(f"Bearer {secret}"),
        ]
    assert len({response.content for response in answers}) == 1
    for response in answers:
        del response.headers["X-Request-ID"]
    assert len({str(sorted(response.headers.items())) for response in answers}) == 1


def test_use_is_noted_at_most_once_a_minute(issue):
    with time_machine.travel(NOW, tick=False) as clock:
        token, secret = issue()
        seen = []
        for _ in range(4):
            ask(f"Bearer {secret}")
            token.refresh_from_db()
            seen.append((token.last_used_at - NOW).total_seconds())
            clock.shift(30.5)
    # Asked at 0, 30.5, 61 and 91.5 seconds.
    assert seen == [0, 0, 61, 61]


def test_noting_a_use_costs_a_query_once_a_minute(issue, client_with, site):
    call = client_with(site.team, "*")
    with time_machine.travel(NOW, tick=False):
        call("GET", "/sites", queries=3)
        call("GET", "/sites", queries=2)


def test_refused_key_is_not_noted(issue):
    token, secret = issue()
    token.revoke()
    ask(f"Bearer {secret}")
    token.refresh_from_db()
    assert token.last_used_at is None


def test_scope_does_not_include_another(site, client_with):
    goals = f"/sites/{site.site_key}/goals"
    body = {"name": "n", "type": "event", "match_type": "exact", "match_value": "v"}
    reader = client_with(site.team, "analytics:read")
    writer = client_with(site.team, "analytics:write")
    assert reader("GET", goals).status_code == 200
    assert reader("POST", goals, body).status_code == 403
    assert writer("POST", goals, body).status_code == 201
    assert writer("GET", goals).status_code == 403
