"""Making, changing, deleting and restoring goals on pages."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from analytics.models import Role
from analytics.questions import time_limits
from goals import models
from goals.drafts import preview as previews
from goals.models import Goal
from krafter.errors import Unavailable
from tests.factories import GoalFactory, store
from tests.goals.pages.browsing import member, text

pytestmark = pytest.mark.django_db

FIELDS = {
    "name": "Thanks",
    "type": "pageview",
    "match_type": "exact",
    "match_value": "/thanks",
    "currency": "",
}


@pytest.fixture
def browser(site):
    return member(site.team, role=Role.EDITOR)


@pytest.fixture
def goal(site):
    return GoalFactory.create(site=site, name="Joined")


@pytest.fixture
def goals(site):
    return f"/sites/{site.site_key}/goals"


def test_goal_is_made_and_shown(site, browser, goals):
    store(site, "pageview", "/thanks")
    response = browser.post(f"{goals}/new", {**FIELDS, "currency": "EUR"})
    made = Goal.objects.get()
    assert response.headers["Location"] == f"{goals}/{made.pk}"
    assert (made.site, made.name, *made.rule, made.currency) == (
        site,
        *("Thanks", "pageview", "exact", "/thanks", "EUR"),
    )
    shown = text(browser.get(f"{goals}/{made.pk}"))
    assert "The goal was created." in shown
    assert "<strong>1</strong> conversion from" in shown


def test_spaces_at_the_ends_of_a_value_are_kept(browser, goals):
    browser.post(f"{goals}/new", {**FIELDS, "match_value": " a "})
    assert Goal.objects.get().match_value == " a "


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": " "}, "may not be blank"),
        ({"match_type": "regex", "match_value": "(?=x)"}, "Not a valid RE2 pattern"),
        ({"match_value": ""}, "may not be blank"),
        ({"type": "sale"}, "is not a valid choice"),
        ({"currency": "XXZ"}, "is not a valid choice"),
        ({"match_value": "x" * 1_025}, "no more than 1024 characters"),
        ({"match_value": "a\0b"}, "Null characters are not allowed"),
    ],
)
def test_wrong_field_is_named_in_the_words_of_the_api(browser, goals, wrong, said):
    response = browser.post(f"{goals}/new", {**FIELDS, **wrong})
    assert response.status_code == 422
    assert said in text(response)
    assert not Goal.objects.exists()


def test_full_site_takes_no_more(browser, goals, monkeypatch):
    monkeypatch.setattr(models, "MAX_GOALS", 0)
    response = browser.post(f"{goals}/new", FIELDS)
    assert "A site holds at most 0 goals." in text(response)


def test_form_is_filled_from_the_address_and_offers_received_names(
    site, browser, goals
):
    store(site, "event", "signup")
    store(site, "goal", "buy <now>")
    query = "?type=event&match_type=contains&match_value=sign"
    shown = text(browser.get(f"{goals}/new{query}"))
    assert 'value="sign"' in shown
    assert '<option value="contains" selected>' in shown
    assert '<datalist id="names-event"><option value="signup">' in shown
    assert '<datalist id="names-custom"><option value="buy &lt;now&gt;">' in shown


def test_goal_is_changed(browser, goals, goal):
    assert 'value="Joined"' in text(browser.get(f"{goals}/{goal.pk}/edit"))
    response = browser.post(f"{goals}/{goal.pk}/edit", FIELDS)
    assert response.headers["Location"] == f"{goals}/{goal.pk}"
    goal.refresh_from_db()
    assert (goal.name, goal.match_value) == ("Thanks", "/thanks")


def test_wrong_change_changes_nothing(browser, goals, goal):
    wrong = {**FIELDS, "match_type": "regex", "match_value": "("}
    assert browser.post(f"{goals}/{goal.pk}/edit", wrong).status_code == 422
    goal.refresh_from_db()
    assert (goal.name, goal.match_value) == ("Joined", "signup")


def test_preview_says_what_would_be_counted(site, browser, goals):
    for name in ("/thanks", "/thanks", "/thanks/again"):
        store(site, "pageview", name)
    wanted = {**FIELDS, "match_type": "contains", "name": ""}
    alone = text(browser.post(f"{goals}/preview", wanted, headers={"X-Part": "1"}))
    assert "<dt>conversions</dt><dd>3</dd>" in alone
    assert "2 names that the site has sent match" in alone
    assert "<html" not in alone
    whole = text(browser.post(f"{goals}/preview", wanted))
    assert "<dt>conversions</dt><dd>3</dd>" in whole
    assert 'value="/thanks"' in whole
    assert not Goal.objects.exists()


def test_preview_of_an_edit_says_what_it_wins_and_loses(site, browser, goals, goal):
    for type, name in (("event", "signup"), ("pageview", "/thanks")):
        store(site, type, name)
    shown = text(browser.post(f"{goals}/preview", {**FIELDS, "goal": goal.pk}))
    assert "Change in the last 30 days: +1, −1." in shown  # noqa: RUF001 - a minus
    assert "No longer counted: <code>signup</code>" in shown
    assert "Newly counted: <code>/thanks</code>" in shown


def test_preview_says_the_reason_of_re2(browser, goals):
    wrong = {**FIELDS, "match_type": "regex", "match_value": "a(?!b)"}
    shown = text(browser.post(f"{goals}/preview", wrong))
    assert "Not a valid RE2 pattern: invalid perl operator: (?!" in shown


def test_preview_that_takes_long_says_so(browser, goals, monkeypatch):
    seen = []

    def slow(*args, **kwargs):
        raise Unavailable("The query took too long; choose a shorter period")

    def in_time(seconds=None):
        seen.append(seconds)
        return in_time_before(seconds)

    in_time_before = time_limits.in_time
    monkeypatch.setattr(previews, "in_time", in_time)
    browser.post(f"{goals}/preview", FIELDS)
    assert seen == [2.0]
    monkeypatch.setattr(previews, "matching_names", slow)
    assert "took too long" in text(browser.post(f"{goals}/preview", FIELDS))


def test_goal_is_deleted_and_restored(site, browser, goals, goal):
    store(site, "event", "signup")
    asked = text(browser.get(f"{goals}/{goal.pk}/delete"))
    assert "Delete “Joined”?" in asked
    assert "the event <code>signup</code>" in asked
    assert Goal.objects.undeleted().exists()
    assert browser.post(f"{goals}/{goal.pk}/delete").status_code == 302
    assert not Goal.objects.undeleted().exists()
    deleted = f"/sites/{site.site_key}/deleted-goals"
    assert "Joined" in text(browser.get(deleted))
    back = browser.post(f"{deleted}/{goal.pk}/restore")
    assert back.headers["Location"] == f"{goals}/{goal.pk}"
    assert "<strong>1</strong> conversion from" in text(browser.get(back["Location"]))


def test_full_site_takes_no_goal_back(site, browser, goals, goal, monkeypatch):
    browser.post(f"{goals}/{goal.pk}/delete")
    monkeypatch.setattr(models, "MAX_GOALS", 0)
    deleted = f"/sites/{site.site_key}/deleted-goals"
    response = browser.post(f"{deleted}/{goal.pk}/restore", follow=True)
    assert "A site holds at most 0 goals." in text(response)


def test_strangers_and_signed_out_change_nothing(site, strangers_site, goals, goal):
    stranger = member(strangers_site.team, role=Role.OWNER)
    posts = {
        f"{goals}/new": FIELDS,
        f"{goals}/preview": FIELDS,
        f"{goals}/{goal.pk}/edit": FIELDS,
        f"{goals}/{goal.pk}/delete": {},
        f"/sites/{site.site_key}/deleted-goals/{goal.pk}/restore": {},
    }
    own = f"/sites/{strangers_site.site_key}/goals"
    for address, fields in posts.items():
        assert stranger.post(address, fields).status_code == 404
        assert Client().post(address, fields).headers["Location"].startswith("/login")
    assert stranger.post(f"{own}/{goal.pk}/edit", FIELDS).status_code == 404
    with_goal = {**FIELDS, "goal": goal.pk}
    assert stranger.post(f"{own}/preview", with_goal).status_code == 404
    assert [(row.name, row.deleted_at) for row in Goal.objects.all()] == [
        ("Joined", None)
    ]


def test_viewer_is_refused_and_offered_nothing(site, goals, goal):
    viewer = member(site.team, "viewer", Role.VIEWER)
    deleted = f"/sites/{site.site_key}/deleted-goals"
    for address in (
        f"{goals}/new",
        f"{goals}/{goal.pk}/edit",
        f"{goals}/{goal.pk}/delete",
    ):
        assert viewer.get(address).status_code == 403
        assert viewer.post(address, FIELDS).status_code == 403
    assert viewer.post(f"{goals}/preview", FIELDS).status_code == 403
    assert viewer.get(deleted).status_code == 403
    assert viewer.post(f"{deleted}/{goal.pk}/restore").status_code == 403
    assert Goal.objects.get().name == "Joined"
    for page in (f"/sites/{site.site_key}", f"{goals}/{goal.pk}"):
        shown = text(viewer.get(page))
        assert "/new" not in shown
        assert "/edit" not in shown
        assert "/delete" not in shown


def test_editor_is_offered_what_he_may(site, browser, goals, goal):
    assert f'href="{goals}/new"' in text(browser.get(f"/sites/{site.site_key}"))
    shown = text(browser.get(f"{goals}/{goal.pk}"))
    assert f'href="{goals}/{goal.pk}/edit"' in shown
    assert f'href="{goals}/{goal.pk}/delete"' in shown


def test_forms_carry_a_token(site, goals, goal):
    browser = Client(enforce_csrf_checks=True)
    user = User.objects.create_user("ada")
    site.team.memberships.create(user=user, role=Role.OWNER)
    browser.force_login(user)
    for address in (f"{goals}/new", f"{goals}/preview", f"{goals}/{goal.pk}/delete"):
        assert browser.post(address, FIELDS).status_code == 403


def test_hint_offers_the_corrected_rule_and_a_link_to_it(site, browser, goals):
    store(site, "pageview", "/thanks")
    form = {**FIELDS, "match_value": "https://example.com/thanks"}
    shown = text(browser.post(f"{goals}/preview", form))
    assert 'data-match-value="/thanks"' in shown
    link = next(
        part.partition('"')[0]
        for part in shown.split('href="')
        if "match_value=%2Fthanks" in part.partition('"')[0]
    )
    filled = text(browser.get(link.replace("&amp;", "&")))
    assert 'value="/thanks"' in filled
    assert 'value="Thanks"' in filled


def test_preview_names_goals_that_overlap(site, browser, goals):
    GoalFactory.create(
        site=site, name="All", type="pageview", match_type="regex", match_value="."
    )
    store(site, "pageview", "/thanks")
    store(site, "pageview", "/")
    shown = text(browser.post(f"{goals}/preview", FIELDS))
    assert ">All</a>" in shown
    assert "counts all of these names and more, 1 conversion in common" in shown


def test_names_with_what_is_typed_are_offered(site, browser, goals):
    for name in ("/thanks/a", "/thanks/b", "/thanks/b", "/other"):
        store(site, "pageview", name)
    form = {**FIELDS, "match_value": "/THANK"}
    shown = text(browser.post(f"{goals}/preview", form, headers={"X-Part": "1"}))
    assert (
        '<datalist id="names-found"><option value="/thanks/b"></option>'
        '<option value="/thanks/a"></option></datalist>'
    ) in shown


def test_link_fills_the_form_of_an_edit(browser, goal, goals):
    shown = text(browser.get(f"{goals}/{goal.pk}/edit?match_value=b"))
    assert 'value="Joined"' in shown
    assert 'name="match_value" value="b"' in shown
