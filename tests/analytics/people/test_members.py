"""Who comes into a team and goes: invitations, roles, links for new passwords."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client

from analytics.models import AuditEntry, Invitation, Membership, Role
from analytics.people import members
from tests.analytics.admin.client import superuser, url
from tests.factories import TeamFactory
from tests.goals.pages.browsing import browser_of, member

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 2, 18, 12, tzinfo=UTC)
LINK = re.compile(r"http://testserver(/(?:join|password)/[\w/-]+)")
PASSWORD = "correct horse battery"
ACCOUNT = {"username": "ben", "password1": PASSWORD, "password2": PASSWORD}


@pytest.fixture
def team(site):
    return site.team


@pytest.fixture
def owner(team):
    return member(team, "owner", Role.OWNER)


def link(response):
    return LINK.findall(response.content.decode())[0]


def invite(owner, team, role="editor", note="Ben"):
    return owner.post(f"/teams/{team.pk}/invite", {"role": role, "note": note})


def roles_in(team):
    rows = team.memberships.values_list("user__username", "role")
    return dict(rows)


# Invitations


def test_link_makes_an_account_and_a_member(owner, team):
    shown = invite(owner, team)
    assert "no-store" in shown.headers["Cache-Control"]
    browser = Client()
    assert "Join" in browser.get(link(shown)).content.decode()
    response = browser.post(link(shown), ACCOUNT, follow=True)
    assert response.status_code == 200
    assert response.context["user"].username == "ben"
    assert roles_in(team) == {"owner": "owner", "ben": "editor"}
    assert not User.objects.get(username="ben").is_staff


def test_link_works_once_and_for_a_week(owner, team):
    path = link(invite(owner, team))
    with time_machine.travel(NOW + timedelta(days=10_000)):
        assert Client().get(path).status_code == 404
    Client().post(path, ACCOUNT)
    for response in (Client().get(path), Client().post(path, ACCOUNT)):
        assert response.status_code == 404
    assert Client().get("/join/unknown").status_code == 404


def test_link_is_kept_nowhere(owner, team):
    path = link(invite(owner, team))
    secret = path.rpartition("/")[2]
    assert secret not in owner.get(f"/teams/{team.pk}").content.decode()
    assert secret not in str(Invitation.objects.values())
    assert secret not in str(AuditEntry.objects.values())


def test_who_has_an_account_joins_with_it(owner, team):
    path = link(invite(owner, team))
    browser = browser_of(User.objects.create_user("cai"))
    assert "Ben" not in browser.get(path).content.decode()
    browser.post(path)
    assert roles_in(team)["cai"] == "editor"
    assert not Invitation.objects.exists()


@pytest.mark.parametrize(("had", "has"), [("viewer", "editor"), ("owner", "owner")])
def test_member_keeps_the_higher_role(owner, team, had, has):
    browser = member(team, "cai", Role(had))
    browser.post(link(invite(owner, team)))
    assert roles_in(team)["cai"] == has


def test_link_that_somebody_was_faster_with_makes_no_account(owner, team, monkeypatch):
    path = link(invite(owner, team))
    both = Invitation.objects.select_related("team").get()
    Client().post(path, ACCOUNT)
    # As if both had opened the page before one of them sent it.
    monkeypatch.setattr(members, "invitation", lambda secret: both)
    late = Client()
    assert late.post(path, {**ACCOUNT, "username": "late"}).status_code == 404
    assert not User.objects.filter(username="late").exists()
    assert not AuditEntry.objects.filter(subject_name="late").exists()
    assert late.get("/account").status_code == 302


@pytest.mark.parametrize("note", ["Ben\u202e", "Ben\nOwner", "Ben\x1b[2J"])
def test_note_of_an_invitation_is_one_printable_line(owner, team, note):
    assert "not allowed" in invite(owner, team, note=note).content.decode()
    assert not Invitation.objects.exists()


def test_trail_says_which_role_a_link_gave(owner, team):
    for name, had, gives, has in (
        ("ann", "viewer", "owner", "owner"),
        ("bob", "owner", "viewer", "owner"),
        ("cid", None, "editor", "editor"),
    ):
        user = User.objects.create_user(name)
        if had is not None:
            team.memberships.create(user=user, role=had)
        browser_of(user).post(link(invite(owner, team, gives)))
        entry = AuditEntry.objects.filter(action="member.joined").latest("pk")
        assert entry.changes["user"] == [had and name, name]
        assert entry.changes["role"] == [had, has]


def test_taken_name_and_weak_password_use_nothing_up(owner, team):
    path = link(invite(owner, team))
    for wrong in ({"username": "OWNER"}, {"password1": "short", "password2": "short"}):
        assert Client().post(path, {**ACCOUNT, **wrong}).status_code == 200
    assert Client().post(path, ACCOUNT).status_code == 302


def test_withdrawn_invitation_is_gone(owner, team):
    path = link(invite(owner, team))
    uuid = Invitation.objects.get().uuid
    stranger = member(TeamFactory.create(), "stranger", Role.OWNER)
    assert (
        stranger.post(f"/teams/{team.pk}/invitations/{uuid}/withdraw").status_code
        == 404
    )
    owner.post(f"/teams/{team.pk}/invitations/{uuid}/withdraw")
    assert Client().get(path).status_code == 404


def test_invitation_is_sent_where_there_is_mail(owner, team, settings):
    settings.EMAIL_URL = "smtp://mail.example"
    assert "sent by mail" not in invite(owner, team).content.decode()
    assert not mail.outbox
    shown = invite(owner, team, note="ben@example.com")
    assert "sent by mail" in shown.content.decode()
    [sent] = mail.outbox
    assert sent.to == ["ben@example.com"]
    assert link(shown) in sent.body


def test_mail_that_fails_leaves_the_link(owner, team, settings, monkeypatch, caplog):
    settings.EMAIL_URL = "smtp://mail.example"

    def fail(*args):
        raise OSError("ben@example.com")

    monkeypatch.setattr("analytics.people.mail.send_mail", fail)
    shown = invite(owner, team, note="ben@example.com")
    assert link(shown)
    assert "sent by mail" not in shown.content.decode()
    assert "Mail was not sent: OSError" in caplog.text
    assert "ben@example.com" not in caplog.text


def test_open_invitations_are_bounded(owner, team, monkeypatch):
    monkeypatch.setattr("analytics.people.members.MAX_INVITATIONS", 2)
    for _ in range(3):
        last = invite(owner, team)
    assert "at most 2 open invitations" in last.content.decode()
    assert Invitation.objects.count() == 2


# Roles on the pages


DEEDS = ["see", "invite", "change", "remove", "reset"]


def attempt(browser, deed, team, row):
    base = f"/teams/{team.pk}"
    match deed:
        case "see":
            return browser.get(base)
        case "invite":
            return invite(browser, team)
        case "change":
            return browser.post(f"{base}/members/{row.pk}", {"role": "editor"})
        case "remove":
            return browser.post(f"{base}/members/{row.pk}", {"remove": "1"})
    return browser.post(f"{base}/members/{row.pk}/password")


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize(
    "who", ["nobody", "stranger", "viewer", "editor", "owner", "operator"]
)
def test_page_allows_what_the_role_does(team, who, deed):
    member(team, "first", Role.OWNER)
    member(team, "target", Role.VIEWER)
    row = team.memberships.get(user__username="target")
    if who == "nobody":
        browser = Client()
    elif who == "stranger":
        browser = member(TeamFactory.create(), "me", Role.OWNER)
    elif who == "operator":
        browser = superuser()
    else:
        browser = member(team, "me", Role(who))
    before = list(Membership.objects.values()), Invitation.objects.count()
    response = attempt(browser, deed, team, row)
    is_allowed = who in ("owner", "operator") or (
        deed == "see" and who in ("viewer", "editor")
    )
    if is_allowed:
        assert response.status_code in (200, 302)
        assert response.headers.get("Location") != "/login"
        return
    refused = {"nobody": 302, "stranger": 404}
    assert response.status_code == refused.get(who, 403)
    assert (list(Membership.objects.values()), Invitation.objects.count()) == before


def test_last_owner_cannot_leave_nor_be_anything_else(owner, team):
    row = team.memberships.get()
    for path, form in (
        (f"/account/teams/{team.pk}/leave", {}),
        (f"/teams/{team.pk}/members/{row.pk}", {"role": "viewer"}),
        (f"/teams/{team.pk}/members/{row.pk}", {"remove": "1"}),
    ):
        page = owner.post(path, form, follow=True)
        assert "A team needs an owner" in page.content.decode()
    operator = superuser()
    page_of_team = url("team", "change", team.pk)
    form_of_team = {
        "name": team.name,
        "memberships-TOTAL_FORMS": 1,
        "memberships-INITIAL_FORMS": 1,
        "memberships-0-id": row.pk,
        "memberships-0-team": team.pk,
        "memberships-0-user": row.user_id,
        "memberships-0-role": "viewer",
    }
    removed = {"memberships-0-role": "owner", "memberships-0-DELETE": "on"}
    for change in ({}, removed):
        shown = operator.post(page_of_team, {**form_of_team, **change})
        assert "A team needs an owner" in shown.content.decode()
    assert roles_in(team) == {"owner": "owner"}


def test_who_is_no_owner_leaves_a_team_without_one(team):
    viewer = member(team, "viewer")
    viewer.post(f"/account/teams/{team.pk}/leave")
    assert roles_in(team) == {}


def test_inactive_owner_keeps_no_team(owner, team):
    member(team, "away", Role.OWNER)
    User.objects.filter(username="away").update(is_active=False)
    page = owner.post(f"/account/teams/{team.pk}/leave", follow=True)
    assert "A team needs an owner" in page.content.decode()
    assert roles_in(team) == {"owner": "owner", "away": "owner"}


def test_member_who_is_gone_meanwhile_is_not_changed(owner, team):
    member(team, "ben")
    row = team.memberships.get(user__username="ben")
    team.memberships.filter(pk=row.pk).delete()
    with pytest.raises(ValidationError, match="already been removed"):
        members.remove(row)
    with pytest.raises(ValidationError, match="already been removed"):
        members.change_role(row, Role.OWNER)
    assert not AuditEntry.objects.filter(action__startswith="member.").exists()


@pytest.mark.parametrize("way", ["page", "list"])
def test_user_who_is_a_last_owner_is_not_deleted(owner, team, way):
    """Nor are all owners of a team at once."""
    member(team, "second", Role.OWNER)
    member(team, "third")
    operator = superuser()
    owners = list(User.objects.filter(username__in=["owner", "second"]))

    def delete(*users):
        if way == "page":
            for user in users:
                answer = operator.post(url("user", "delete", user.pk), {"post": "yes"})
            return answer
        chosen = {"_selected_action": [user.pk for user in users], "post": "yes"}
        chosen["action"] = "delete_selected"
        return operator.post(url("user", "changelist"), chosen)

    answer = delete(*owners)
    assert "needs an owner" in answer.content.decode()
    left = set(roles_in(team))
    assert left & {"owner", "second"}
    third = User.objects.get(username="third")
    delete(third)
    assert set(roles_in(team)) == left - {"third"}
    gone = AuditEntry.objects.filter(action="user.deleted", team_id=team.pk)
    assert "third" in set(gone.values_list("subject_name", flat=True))


def test_number_that_no_team_has_is_404(owner, team):
    for number in (0, 2**31, 2**63, 10**30):
        assert owner.post(f"/account/teams/{number}/leave").status_code == 404
        assert owner.get(f"/teams/{number}").status_code == 404
        page = f"/teams/{team.pk}/members/{number}"
        assert owner.post(page, {"role": "viewer"}).status_code == 404


def test_owner_leaves_when_there_is_another(owner, team):
    member(team, "second", Role.OWNER)
    owner.post(f"/account/teams/{team.pk}/leave")
    assert roles_in(team) == {"second": "owner"}
    assert owner.get(f"/teams/{team.pk}").status_code == 404


def test_who_is_in_several_teams_switches(owner, team):
    other = TeamFactory.create(name="Other team")
    user = User.objects.get(username="owner")
    other.memberships.create(user=user, role=Role.VIEWER)
    foreign = TeamFactory.create(name="Foreign team")
    page = owner.get(f"/teams/{team.pk}").content.decode()
    assert f'href="/teams/{other.pk}"' in page
    assert foreign.name not in page
    assert "Invite" not in owner.get(f"/teams/{other.pk}").content.decode()


# New passwords


def reset_link(browser, team, name):
    row = team.memberships.get(user__username=name)
    return browser.post(f"/teams/{team.pk}/members/{row.pk}/password")


def test_link_sets_a_password_once(owner, team):
    target = member(team, "ben")
    path = link(reset_link(owner, team, "ben"))
    form = {"new_password1": PASSWORD, "new_password2": PASSWORD}
    browser = Client()
    first = browser.get(path, follow=True)
    moved = first.redirect_chain[-1][0]
    assert path.rpartition("/")[2] not in moved
    assert browser.post(moved, form)["Location"] == "/login"
    assert User.objects.get(username="ben").check_password(PASSWORD)
    assert target.get("/account").status_code == 302
    assert "used or has expired" in Client().get(path, follow=True).content.decode()


def test_link_for_a_password_ends_after_a_day(owner, team):
    member(team, "ben")
    with time_machine.travel(NOW):
        path = link(reset_link(owner, team, "ben"))
    with time_machine.travel(NOW + timedelta(hours=25)):
        page = Client().get(path, follow=True).content.decode()
    assert "used or has expired" in page


@pytest.mark.parametrize("also", ["elsewhere", "is_superuser", "is_staff"])
def test_owner_makes_no_link_that_opens_what_is_not_his(owner, team, also):
    member(team, "ben")
    ben = User.objects.get(username="ben")
    if also == "elsewhere":
        TeamFactory.create().memberships.create(user=ben, role=Role.VIEWER)
    else:
        setattr(ben, also, True)
        ben.save()
    assert reset_link(owner, team, "ben").status_code == 404
    assert (
        "Create a password link" not in owner.get(f"/teams/{team.pk}").content.decode()
    )


def promoted(user, team):
    User.objects.filter(pk=user.pk).update(is_superuser=True)


def of_the_staff(user, team):
    User.objects.filter(pk=user.pk).update(is_staff=True)


def in_another_team(user, team):
    TeamFactory.create().memberships.create(user=user, role=Role.VIEWER)


def removed(user, team):
    team.memberships.get(user=user).delete()


def maker_removed(user, team):
    team.memberships.get(user__username="owner").delete()


@pytest.mark.parametrize(
    "then", [promoted, of_the_staff, in_another_team, removed, maker_removed]
)
def test_link_for_a_password_ends_with_what_allowed_it(owner, team, then):
    member(team, "second", Role.OWNER)
    member(team, "ben")
    path = link(reset_link(owner, team, "ben"))
    assert Client().get(path, follow=True).context["validlink"]
    then(User.objects.get(username="ben"), team)
    page = Client().get(path, follow=True)
    assert not page.context["validlink"]


def test_forgotten_password_is_mailed_and_tells_nothing(team, settings):
    User.objects.create_user("ben", "ben@example.com", "an old password")
    assert "Ask an owner" in Client().get("/password").content.decode()
    assert Client().post("/password", {"email": "ben@example.com"}).status_code == 404
    settings.EMAIL_URL = "smtp://mail.example"
    answers = [
        Client().post("/password", {"email": email}, follow=True).content
        for email in ("ben@example.com", "nobody@example.com")
    ]
    strip = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]*"')
    assert len({strip.sub(b"", answer) for answer in answers}) == 1
    [sent] = mail.outbox
    assert sent.to == ["ben@example.com"]
    path = LINK.findall(str(sent.body))[0]
    assert Client().get(path, follow=True).context["validlink"]


def test_links_for_passwords_are_limited(settings, team):
    settings.EMAIL_URL, settings.RATE_LIMIT_SIGN_IN = "smtp://mail.example", 2
    statuses = [
        Client().post("/password", {"email": "a@b.example"}).status_code
        for _ in range(3)
    ]
    assert statuses == [302, 302, 429]
