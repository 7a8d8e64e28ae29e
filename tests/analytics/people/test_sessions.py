"""Signing in: sessions that end, are listed and ended, and a proxy's word."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client

from analytics.models import BrowserSession, Role
from analytics.people import sessions

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 2, 18, 12, tzinfo=UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PASSWORD = "correct horse battery"


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def user(site):
    user = User.objects.create_user("ada", password=PASSWORD, last_name="lovelace")
    site.team.memberships.create(user=user, role=Role.OWNER)
    return user


@pytest.fixture
def sign_in(user):
    def sign_in(path="/login", **headers):
        client = Client(headers={"User-Agent": FIREFOX, **headers})
        form = {"username": "ada", "password": PASSWORD}
        assert client.post(path, form).status_code == 302
        return client

    return sign_in


def is_in(client):
    return client.get("/account").status_code == 200


def test_sign_in_without_next_leads_to_a_page(user):
    user.is_staff = True
    user.save()
    form = {"username": "ada", "password": PASSWORD}
    for path, leads_to in (("/login", "/"), ("/admin/login/", "/admin/")):
        response = Client().post(path, form)
        assert (response.status_code, response["Location"]) == (302, leads_to)
        assert Client().post(path, form, follow=True).status_code == 200
        away = Client().post(path, {**form, "next": "https://evil.example/"})
        assert away["Location"] == leads_to


def test_who_may_not_use_the_admin_is_asked_to_be_somebody_else(sign_in):
    response = sign_in().get("/admin/", follow=True)
    assert response.status_code == 200
    assert 'name="password"' in response.content.decode()


def test_session_ends_after_a_pause(clock, sign_in, settings):
    settings.SESSION_IDLE_HOURS = 2
    client = sign_in()
    for _ in range(3):
        clock.shift(timedelta(hours=1, minutes=59))
        assert is_in(client)
    clock.shift(timedelta(hours=2, seconds=1))
    assert not is_in(client)
    assert sessions.purge() == 1


def test_session_ends_however_busy(clock, sign_in, settings):
    settings.SESSION_IDLE_HOURS, settings.SESSION_HOURS = 2, 5
    client = sign_in()
    for _ in range(4):
        clock.shift(timedelta(hours=1, minutes=14))
        assert is_in(client)
    clock.shift(timedelta(minutes=5))
    assert not is_in(client)


def test_shorter_setting_holds_for_sessions_that_are_open(clock, sign_in, settings):
    client = sign_in()
    clock.shift(timedelta(hours=3))
    settings.SESSION_IDLE_HOURS = 2
    assert not is_in(client)


def test_busy_session_is_written_once_a_minute(clock, sign_in):
    client = sign_in()
    seen = []
    for seconds in (30, 29, 1, 59):
        clock.shift(seconds)
        assert is_in(client)
        seen.append(BrowserSession.objects.get().seen_at)
    later = timedelta(seconds=60)
    assert seen == [NOW, NOW, NOW + later, NOW + later]


def test_own_sessions_are_listed_and_ended(clock, sign_in):
    here, there = sign_in(), sign_in()
    User.objects.create_user("eve", password=PASSWORD)
    form = {"username": "eve", "password": PASSWORD}
    eve = Client()
    eve.post("/login", form)
    page = here.get("/account")
    assert page.content.decode().count("Firefox, Linux") >= 2
    assert "Feb 18, 2026, 12:00" in page.content.decode()
    key = there.session.session_key
    row = BrowserSession.objects.get(session_key=key)
    assert key not in page.content.decode()
    assert eve.post(f"/account/sessions/{row.uuid}/end").status_code == 404
    assert is_in(there)
    here.post(f"/account/sessions/{row.uuid}/end")
    assert not is_in(there)
    assert is_in(here)
    assert is_in(eve)


def test_all_others_are_ended_at_once(sign_in):
    here, *others = sign_in(), sign_in(), sign_in()
    here.post("/account/sessions/end")
    assert [is_in(client) for client in (here, *others)] == [True, False, False]


def test_own_session_is_ended_by_leaving(sign_in):
    client = sign_in()
    row = BrowserSession.objects.get()
    assert client.post(f"/account/sessions/{row.uuid}/end")["Location"] == "/login"
    assert not is_in(client)


def test_new_password_signs_out_all_other_browsers(sign_in):
    here, there = sign_in(), sign_in()
    form = {
        "old_password": PASSWORD,
        "new_password1": "another long password",
        "new_password2": "another long password",
    }
    assert here.post("/account/password", form).status_code == 302
    assert is_in(here)
    assert not is_in(there)


@pytest.mark.parametrize(
    "wrong", ["short", "1234567890123", "password123", "lovelace12"]
)
def test_weak_password_is_refused(sign_in, wrong):
    form = {
        "old_password": PASSWORD,
        "new_password1": wrong,
        "new_password2": wrong,
    }
    browser = sign_in()
    User.objects.update(last_name="lovelace")
    assert browser.post("/account/password", form).status_code == 200
    assert User.objects.get().check_password(PASSWORD)


@pytest.mark.usefixtures("log_everything")
def test_password_is_in_no_log(sign_in, caplog):
    sign_in()
    Client().post("/login", {"username": "ada", "password": "a wrong secret"})
    assert "ada" in caplog.text
    assert PASSWORD not in caplog.text
    assert "a wrong secret" not in caplog.text


# A proxy's word

PROXY = "192.0.2.9"


@pytest.fixture
def by_header(settings, user):
    settings.TRUSTED_PROXIES = [ip_network("192.0.2.9")]
    settings.SIGN_IN_HEADER = "Remote-User"


@pytest.mark.usefixtures("by_header")
def test_trusted_proxy_says_who_it_is():
    client = Client(REMOTE_ADDR=PROXY)
    response = client.get("/account", headers={"Remote-User": "ada"})
    assert response.status_code == 200
    assert BrowserSession.objects.filter(user__username="ada").count() == 1


@pytest.mark.usefixtures("by_header")
@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.8", "ada"),
        ("192.0.2.9", "nobody"),
        ("192.0.2.9", ""),
        ("192.0.2.9", "ADA"),
    ],
)
def test_nobody_else_does(address, name):
    client = Client(REMOTE_ADDR=address)
    headers = {"Remote-User": name, "X-Forwarded-For": "192.0.2.9"}
    assert client.get("/account", headers=headers).status_code == 302
    assert User.objects.count() == 1


def test_header_is_nothing_where_it_is_not_set_up(user, settings):
    settings.TRUSTED_PROXIES = [ip_network("192.0.2.9")]
    client = Client(REMOTE_ADDR=PROXY)
    assert client.get("/account", headers={"Remote-User": "ada"}).status_code == 302


@pytest.mark.usefixtures("by_header")
def test_session_lasts_as_long_as_the_proxy_names_its_user():
    User.objects.create_user("eve")
    client = Client(REMOTE_ADDR=PROXY)
    client.get("/account", headers={"Remote-User": "ada"})
    page = client.get("/account", headers={"Remote-User": "eve"})
    assert page.context["user"].username == "eve"
    assert client.get("/account").status_code == 302
    assert not BrowserSession.objects.filter(user__username="eve").exists()


@pytest.mark.usefixtures("by_header")
def test_inactive_user_is_not_signed_in():
    User.objects.update(is_active=False)
    client = Client(REMOTE_ADDR=PROXY)
    assert client.get("/account", headers={"Remote-User": "ada"}).status_code == 302
