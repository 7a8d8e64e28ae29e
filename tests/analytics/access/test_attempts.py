"""Guessing at secrets: limited by address and account, and never at others' cost."""

import re
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_login_failed
from django.test import Client

from analytics.access import tokens
from analytics.models import ApiToken, RateWindow
from tests.conftest import BASE

NOW = datetime(2026, 2, 18, 12, 0, 37, 250_000, tzinfo=UTC)
LOGIN = "/admin/login/"


@pytest.fixture(autouse=True)
def clock(settings):
    settings.RATE_LIMIT_UNKNOWN_KEYS = settings.RATE_LIMIT_SIGN_IN = 3
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


# Unknown keys


def ask(secret, address="192.0.2.1", **environ):
    headers = {"Authorization": f"Bearer {secret}"}
    return Client(headers=headers).get(f"{BASE}/sites", REMOTE_ADDR=address, **environ)


@pytest.fixture
def usable(site):
    return ApiToken.issue(team=site.team, name="x", scopes=["*"])[1]


@pytest.mark.django_db
def test_unknown_keys_are_429_over_the_limit_of_their_address(clock, caplog):
    answers = [ask(tokens.new_token()) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 3 + [429] * 3
    assert answers[5].content == b'{"error":"Rate limit exceeded","retry_after":23}'
    assert answers[5].headers["Retry-After"] == "23"
    assert answers[5].headers["x-ratelimit-remaining"] == "0"
    assert ask(tokens.new_token(), "192.0.2.2").status_code == 401
    # One line, and not who it was.
    [line] = [each for each in caplog.messages if "Too many attempts" in each]
    assert "unknown_key" in line
    assert "192.0.2" not in caplog.text
    clock.shift(23)
    assert ask(tokens.new_token()).status_code == 401


@pytest.mark.django_db
def test_usable_key_is_never_refused_for_what_its_neighbours_do(usable):
    for _ in range(6):
        ask(tokens.new_token())
    assert ask(tokens.new_token()).status_code == 429
    assert ask(usable).status_code == 200


@pytest.mark.django_db
def test_revoked_key_is_an_unknown_one(usable):
    ApiToken.objects.get(digest=tokens.digest(usable)).revoke()
    assert [ask(usable).status_code for _ in range(4)] == [401, 401, 401, 429]


@pytest.mark.django_db
@pytest.mark.parametrize("secret", ["", "x", "kr_live_", "kr_live_" + "é" * 43])
def test_what_is_no_key_is_no_guess_and_costs_no_query(
    secret, django_assert_num_queries
):
    with django_assert_num_queries(0):
        assert [ask(secret).status_code for _ in range(5)] == [401] * 5


@pytest.mark.django_db
def test_clients_of_a_proxy_and_a_network_are_told_apart(settings):
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]

    def asked(client):
        return ask(
            tokens.new_token(), "10.0.0.1", headers={"X-Forwarded-For": client}
        ).status_code

    clients = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4"]
    assert [asked(client) for client in clients] == [401, 401, 401, 429]
    assert asked("2001:db8:0:1::1") == 401


@pytest.mark.django_db
def test_over_the_limit_nothing_more_is_written(django_assert_num_queries):
    for _ in range(5):
        ask(tokens.new_token())
    # The key is looked up, since it might be usable.
    with django_assert_num_queries(1):
        assert ask(tokens.new_token()).status_code == 429


@pytest.mark.django_db
def test_another_process_has_its_share_of_the_count():
    window = {"minute": int(NOW.timestamp()) // 60, "used": 3}
    ask(tokens.new_token())
    RateWindow.objects.update(**window)
    assert ask(tokens.new_token()).status_code == 429


# Signing in


@pytest.fixture
def hashed():
    """The wrong passwords that were looked at."""
    seen = []

    def note(credentials, **_):
        seen.append(credentials)

    user_login_failed.connect(note)
    yield seen
    user_login_failed.disconnect(note)


@pytest.fixture
def owner(db, hashed):
    return get_user_model().objects.create_superuser("Owner", password="right")


def sign_in(username, password, address="192.0.2.1", client=None):
    return (client or Client()).post(
        LOGIN, {"username": username, "password": password}, REMOTE_ADDR=address
    )


def test_passwords_of_an_address_are_limited_before_they_are_hashed(
    owner, hashed, clock, caplog
):
    names = ["Owner", "a", "b", "Owner", "c"]
    statuses = [sign_in(name, "wrong").status_code for name in names]
    assert statuses == [200, 200, 200, 429, 429]
    assert len(hashed) == 3
    refused = sign_in("Owner", "right")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "23")
    assert len(hashed) == 3
    assert "Too many attempts (sign_in_address)" in caplog.text
    assert "Owner" not in caplog.text
    clock.shift(23)
    assert sign_in("Owner", "right").status_code == 302


def test_passwords_of_an_account_are_limited_over_all_addresses(owner, hashed, caplog):
    spellings = ["Owner", " owner", "OWNER ", "Owner", "owner"]
    statuses = [
        sign_in(name, "wrong", f"192.0.2.{number}").status_code
        for number, name in enumerate(spellings)
    ]
    assert statuses == [200, 200, 200, 429, 429]
    assert len(hashed) == 3
    assert "Too many attempts (sign_in_account)" in caplog.text
    assert sign_in("another", "wrong", "192.0.2.9").status_code == 200


def test_who_signed_in_before_is_not_kept_out_by_guesses(owner, clock):
    own = Client()
    assert sign_in("Owner", "right", client=own).status_code == 302
    clock.shift(3_600)
    for number in range(5):
        sign_in("Owner", "wrong", f"192.0.2.{number}")
    assert sign_in("Owner", "right", "192.0.2.77").status_code == 429
    assert sign_in("Owner", "right", client=own).status_code == 302
    # With it one may try no more often.
    statuses = [sign_in("Owner", "wrong", client=own).status_code for _ in range(4)]
    assert statuses == [200, 200, 429, 429]


def test_cookie_of_one_account_is_worth_nothing_for_another(owner, hashed):
    get_user_model().objects.create_superuser("Other", password="other")
    own = Client()
    assert sign_in("Other", "other", client=own).status_code == 302
    for number in range(5):
        sign_in("Owner", "wrong", f"192.0.2.{number + 10}")
    assert sign_in("Owner", "wrong", "192.0.2.99", own).status_code == 429
    own.cookies["known_browser"] = re.sub("^.", "x", own.cookies["known_browser"].value)
    assert sign_in("Owner", "wrong", "192.0.2.99", own).status_code == 429


def test_request_that_fails_the_csrf_check_is_no_attempt(owner, hashed):
    for _ in range(5):
        assert (
            sign_in("Owner", "x", client=Client(enforce_csrf_checks=True)).status_code
            == 403
        )
    assert not RateWindow.objects.exists()
    assert not hashed


def test_looking_at_the_form_is_no_attempt(owner):
    assert [Client().get(LOGIN).status_code for _ in range(5)] == [200] * 5
    assert not RateWindow.objects.exists()


def test_zero_turns_both_limits_off(owner, settings):
    settings.RATE_LIMIT_UNKNOWN_KEYS = settings.RATE_LIMIT_SIGN_IN = 0
    assert {sign_in("Owner", "wrong").status_code for _ in range(5)} == {200}
    assert {ask(tokens.new_token()).status_code for _ in range(5)} == {401}
    assert not RateWindow.objects.exists()
