"""A second factor: set up, asked for, used once, and removed for who has lost it."""

import io
import re
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from analytics.models import (
    AuditEntry,
    BrowserSession,
    RecoveryCode,
    Role,
    SecondFactor,
)
from analytics.people import second_factor
from tests.analytics.admin.client import superuser, url
from tests.factories import TeamFactory
from tests.goals.pages.browsing import POLICY, browser_of, member, text

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 2, 18, 12, tzinfo=UTC)
PASSWORD = "correct horse battery"
PAGE = "/account/second-factor"
RECOVERY = re.compile(r"\b[a-z2-7]{4}(?:-[a-z2-7]{4}){3}\b")


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def user(site):
    user = User.objects.create_user("ada", password=PASSWORD)
    site.team.memberships.create(user=user, role=Role.EDITOR)
    return user


class App:
    """Somebody's authenticator app, which has read the QR code."""

    def __init__(self, page):
        uri = re.findall(r"otpauth://[^\"]+", page)[0].replace("&amp;", "&")
        self.label = urlsplit(uri).path
        self.secret = parse_qs(urlsplit(uri).query)["secret"][0]

    def code(self, *, later=0):
        return pyotp.TOTP(self.secret).at(int(datetime.now(UTC).timestamp()) + later)


def set_up(browser):
    """The app, and the recovery codes that were shown."""
    page = browser.get(PAGE)
    app = App(page.content.decode())
    seed = page.context["form"]["seed"].value()
    form = {"password": PASSWORD, "code": app.code(), "seed": seed}
    shown = browser.post(PAGE, form)
    return app, RECOVERY.findall(shown.content.decode())


@pytest.fixture
def with_app(user, clock):
    found = set_up(browser_of(user))
    clock.shift(60)
    return found


def give_password(browser, path="/login"):
    form = {"username": "ada", "password": PASSWORD}
    return browser.post(path, form)


def sign_in(code, path="/login"):
    """A browser whose password was right, and the answer to the code."""
    browser = Client()
    asked = give_password(browser, path)
    assert asked.status_code == 302
    return browser, browser.post(asked["Location"], {"code": code})


def is_in(browser):
    return browser.get("/account").status_code == 200


def deeds():
    rows = AuditEntry.objects.order_by("pk").values_list("action", "team_id")
    return list(rows)


# Setting it up


def test_page_shows_a_qr_code_and_its_key(user):
    page = browser_of(user).get(PAGE)
    shown = text(page)
    app = App(shown)
    assert app.label == "/Krafter%20Analytics:ada"
    assert re.search(r'<img src="data:image/svg\+xml[^"]+"', shown)
    assert app.secret in re.sub(r"(?<=\w{4}) (?=\w{4})", "", shown)
    assert page.headers["Content-Security-Policy"] == POLICY
    assert "no-store" in page.headers["Cache-Control"]
    assert not SecondFactor.objects.exists()


def test_first_code_sets_it_up_and_shows_recovery_codes_once(user, site):
    browser, other = browser_of(user), browser_of(user)
    assert is_in(other)
    app, codes = set_up(browser)
    assert len(set(codes)) == second_factor.RECOVERY_CODES
    assert deeds()[-1] == ("second_factor.set_up", site.team_id)
    page = browser.get(PAGE).content.decode()
    assert "10 recovery codes left" in page
    assert not RECOVERY.findall(page)
    assert app.secret not in page
    assert is_in(browser)
    assert not is_in(other)


def test_neither_secret_nor_codes_are_stored(user):
    app, codes = set_up(browser_of(user))
    stored = str([*SecondFactor.objects.values(), *RecoveryCode.objects.values()])
    stored += str([*AuditEntry.objects.values(), *BrowserSession.objects.values()])
    for secret in (app.secret, *codes, *(code.replace("-", "") for code in codes)):
        assert secret not in stored


def test_secret_depends_on_the_key_of_the_settings(settings):
    seed = second_factor.new_seed()
    before = second_factor.secret(seed)
    settings.DATA_KEY = "another"
    assert second_factor.secret(seed) != before


@pytest.mark.parametrize(
    ("field", "value"),
    [("password", "wrong"), ("code", "000000"), ("code", ""), ("code", "١٢٣٤٥٦")],
)
def test_wrong_form_sets_nothing_up(user, field, value):
    browser = browser_of(user)
    page = browser.get(PAGE)
    form = {
        "password": PASSWORD,
        "code": App(page.content.decode()).code(),
        "seed": page.context["form"]["seed"].value(),
    }
    again = browser.post(PAGE, {**form, field: value})
    assert list(again.context["form"].errors) == [field]
    assert App(again.content.decode()).secret == App(page.content.decode()).secret
    assert not SecondFactor.objects.exists()


def test_seed_of_somebody_else_or_of_long_ago_is_refused(user, clock):
    eve = User.objects.create_user("eve", password=PASSWORD)
    page = browser_of(eve).get(PAGE)
    seed, app = page.context["form"]["seed"].value(), App(page.content.decode())
    form = {"password": PASSWORD, "code": app.code(), "seed": seed}
    assert browser_of(user).post(PAGE, form)["Location"] == PAGE
    clock.shift(timedelta(minutes=61))
    form["code"] = app.code()
    assert browser_of(eve).post(PAGE, form)["Location"] == PAGE
    assert not SecondFactor.objects.exists()


# Asking for it


@pytest.mark.parametrize("path", ["/login", "/admin/login/"])
def test_password_alone_signs_nobody_in(user, with_app, path):
    browser = Client()
    before = len(deeds())
    asked = give_password(browser, path)
    assert asked["Location"].startswith("/login/code?next=")
    assert not is_in(browser)
    assert len(deeds()) == before
    waiting = BrowserSession.objects.get(user=None)
    assert waiting.expire_date <= datetime.now(UTC) + timedelta(minutes=10)


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/login", "/"),
        ("/login?next=/sites/new", "/sites/new"),
        ("/login?next=https://evil.example/", "/"),
        ("/admin/login/", "/admin/"),
    ],
)
def test_code_of_the_app_signs_in(user, with_app, path, leads_to):
    app, _ = with_app
    browser, response = sign_in(app.code(), path)
    assert (response.status_code, response["Location"]) == (302, leads_to)
    assert is_in(browser)
    assert deeds()[-1][0] == "sign_in.succeeded"
    assert BrowserSession.objects.filter(user=user).exists()


def test_code_page_leads_nowhere_else(user, with_app):
    app, _ = with_app
    browser = Client()
    give_password(browser)
    target = "/login/code?next=https://evil.example/"
    assert browser.post(target, {"code": app.code()})["Location"] == "/"


def test_code_works_once(with_app):
    app, _ = with_app
    code = app.code()
    assert sign_in(code)[1].status_code == 302
    browser, again = sign_in(code)
    assert again.status_code == 200
    assert "Each works once" in again.content.decode()
    assert not is_in(browser)


def test_code_that_set_it_up_signs_nobody_in(user, clock):
    app, _ = set_up(browser_of(user))
    assert sign_in(app.code())[1].status_code == 200
    clock.shift(30)
    assert sign_in(app.code())[1].status_code == 302


@pytest.mark.parametrize(
    ("seconds", "status"), [(-60, 200), (-30, 302), (0, 302), (30, 302), (60, 200)]
)
def test_clock_of_the_app_may_be_wrong_by_a_step(with_app, clock, seconds, status):
    app, _ = with_app
    clock.shift(300)
    assert sign_in(app.code(later=seconds))[1].status_code == status


def test_recovery_code_signs_in_once(with_app, site):
    _, codes = with_app
    typed = codes[3].upper().replace("-", " ")
    browser, response = sign_in(typed)
    assert response.status_code == 302
    assert "9 recovery codes left" in browser.get(PAGE).content.decode()
    assert sign_in(codes[3])[1].status_code == 200
    entry = AuditEntry.objects.get(action="second_factor.recovery_code_used")
    assert entry.changes == {"codes_left": [10, 9]}
    assert entry.team_id == site.team_id


def test_wrong_code_is_a_failed_sign_in(with_app, site):
    sign_in("000000")
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.subject_name) == ("sign_in.failed", "ada")
    assert entry.team_id == site.team_id


def test_guesses_have_ever_longer_pauses(with_app, clock):
    """A recovery code, which nobody guesses, is accepted all the same."""
    app, codes = with_app
    for _ in range(20):
        sign_in("000000")
        clock.shift(1)
    assert sign_in(app.code())[1].status_code == 200
    clock.shift(120)
    assert sign_in(app.code())[1].status_code == 302
    for _ in range(20):
        sign_in("000000")
        clock.shift(3_600)
    sign_in("000000")
    clock.shift(3_500)
    assert sign_in(app.code())[1].status_code == 200
    assert sign_in(codes[0])[1].status_code == 302
    clock.shift(101)
    assert sign_in(app.code())[1].status_code == 302


def test_codes_are_limited_as_passwords_are(with_app, settings):
    settings.RATE_LIMIT_SIGN_IN = 4
    browser = Client()
    asked = give_password(browser)["Location"]
    statuses = [browser.post(asked, {"code": "000000"}).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]


def test_other_password_or_ten_minutes_end_the_attempt(user, with_app, clock):
    app, _ = with_app
    late, changed = Client(), Client()
    for browser in (late, changed):
        give_password(browser)
    clock.shift(601)
    assert late.post("/login/code", {"code": app.code()})["Location"] == "/login"
    give_password(changed)
    user.set_password("another long password")
    user.save()
    assert changed.post("/login/code", {"code": app.code()})["Location"] == "/login"
    assert Client().get("/login/code")["Location"] == "/login"


def test_new_password_by_a_link_does_not_pass_it(user, with_app, site):
    owner = member(site.team, "owner", Role.OWNER)
    row = site.team.memberships.get(user=user)
    shown = owner.post(f"/teams/{site.team.pk}/members/{row.pk}/password")
    path = re.findall(r"http://testserver(/password/[\w/-]+)", text(shown))[0]
    browser = Client()
    moved = browser.get(path, follow=True).redirect_chain[-1][0]
    form = {"new_password1": PASSWORD[::-1], "new_password2": PASSWORD[::-1]}
    browser.post(moved, form)
    form = {"username": "ada", "password": PASSWORD[::-1]}
    assert browser.post("/login", form)["Location"].startswith("/login/code")
    assert not is_in(browser)


# Changing and removing it


def test_other_recovery_codes_replace_the_old_ones(user, with_app):
    app, old = with_app
    browser = browser_of(user)
    form = {"password": PASSWORD, "code": app.code()}
    new = RECOVERY.findall(browser.post(f"{PAGE}/codes", form).content.decode())
    assert len(new) == 10
    assert not set(new) & set(old)
    assert sign_in(old[0])[1].status_code == 200
    assert sign_in(new[0])[1].status_code == 302
    assert "second_factor.codes_renewed" in dict(deeds())


@pytest.mark.parametrize("path", [f"{PAGE}/codes", f"{PAGE}/off"])
def test_browser_that_was_left_open_is_not_enough(user, with_app, path):
    app, _ = with_app
    browser = browser_of(user)
    for wrong in (
        {"password": "wrong", "code": app.code()},
        {"password": PASSWORD, "code": "000000"},
    ):
        assert browser.post(path, wrong).context["form"].errors
    assert user.second_factor.recovery_codes.count() == 10
    # What was entered beside a wrong password was not used up.
    assert sign_in(app.code())[1].status_code == 302


def test_guessing_at_a_browser_that_was_left_open_is_limited(user, with_app, settings):
    settings.RATE_LIMIT_SIGN_IN = 2
    browser, form = browser_of(user), {"password": "wrong", "code": "000000"}
    paths = (PAGE + "/off", PAGE + "/codes", PAGE + "/off")
    assert [browser.post(path, form).status_code for path in paths] == [200, 200, 429]


def test_it_is_turned_off(user, with_app, site):
    _, codes = with_app
    form = {"password": PASSWORD, "code": codes[0]}
    browser = browser_of(user)
    assert browser.post(f"{PAGE}/off", form)["Location"] == "/account"
    assert not RecoveryCode.objects.exists()
    assert deeds()[-1] == ("second_factor.removed", site.team_id)
    assert give_password(Client())["Location"] == "/"


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("nobody", 302),
        ("stranger", 404),
        ("viewer", 403),
        ("editor", 403),
        ("owner", 302),
        ("operator", 302),
    ],
)
def test_owner_and_operator_remove_it_for_who_has_lost_it(
    user, with_app, site, who, status
):
    if who == "nobody":
        browser = Client()
    elif who == "operator":
        browser = superuser()
    elif who == "stranger":
        browser = member(TeamFactory.create(), "me", Role.OWNER)
    else:
        browser = member(site.team, "me", Role(who))
    signed_in = browser_of(user)
    assert is_in(signed_in)
    row = site.team.memberships.get(user=user)
    path = f"/teams/{site.team.pk}/members/{row.pk}/second-factor"
    assert browser.post(path).status_code == status
    is_removed = who in ("owner", "operator")
    assert SecondFactor.objects.exists() is not is_removed
    assert is_in(signed_in) is not is_removed


def test_owner_does_not_remove_that_of_who_is_elsewhere_too(user, with_app, site):
    TeamFactory.create().memberships.create(user=user, role=Role.VIEWER)
    owner = member(site.team, "owner", Role.OWNER)
    row = site.team.memberships.get(user=user)
    path = f"/teams/{site.team.pk}/members/{row.pk}/second-factor"
    assert owner.post(path).status_code == 404
    assert path not in owner.get(f"/teams/{site.team.pk}").content.decode()
    assert SecondFactor.objects.exists()


def test_operator_removes_it_in_the_admin(user, with_app):
    operator, users = superuser(), url("user", "changelist")
    form = {"action": "remove_second_factor", "_selected_action": [user.pk]}
    page = operator.post(users, form, follow=True)
    assert "Second factors removed: 1." in page.content.decode()
    assert not SecondFactor.objects.exists()
    assert deeds()[-1][0] == "second_factor.removed"


def test_command_removes_it(user, with_app):
    call_command("remove_second_factor", "ada", stdout=(out := io.StringIO()))
    assert "ada signs in by password alone" in out.getvalue()
    assert not SecondFactor.objects.exists()
    assert deeds()[-1][0] == "second_factor.removed"
    for name, reason in (("ada", "has no second factor"), ("eve", "no user")):
        with pytest.raises(CommandError, match=reason):
            call_command("remove_second_factor", name)


# Who must have one


@pytest.mark.parametrize(
    ("setting", "who", "is_stopped"),
    [
        ("nobody", "operator", False),
        ("operators", "operator", True),
        ("operators", "ada", False),
        ("everybody", "ada", True),
    ],
)
def test_setting_stops_who_has_none(user, settings, setting, who, is_stopped):
    settings.SECOND_FACTOR = setting
    browser = superuser() if who == "operator" else browser_of(user)
    for path in ("/", "/account", "/admin/", "/account/password"):
        location = browser.get(path).headers.get("Location", "")
        assert (location == PAGE) is is_stopped
    assert browser.get(PAGE).status_code == 200
    assert browser.post("/logout").status_code == 302


def test_who_has_one_goes_on(user, with_app, settings):
    settings.SECOND_FACTOR = "everybody"
    assert is_in(browser_of(user))
    assert Client().get("/login").status_code == 200


def test_proxy_answers_for_whom_it_names(user, with_app, settings):
    """No code is asked for, whether there is a second factor or must be one."""
    settings.TRUSTED_PROXIES = [ip_network("192.0.2.9")]
    settings.SIGN_IN_HEADER, settings.SECOND_FACTOR = "Remote-User", "everybody"
    User.objects.create_user("eve")
    for name in ("ada", "eve"):
        browser = Client(REMOTE_ADDR="192.0.2.9", headers={"Remote-User": name})
        assert is_in(browser)
    assert "A proxy signs you in" in browser.get(PAGE).content.decode()
