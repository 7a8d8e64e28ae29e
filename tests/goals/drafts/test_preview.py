"""POST /sites/:key/goals/preview."""

from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec
import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.questions.periods import Days
from goals.drafts.preview import preview
from goals.models import Goal
from tests.factories import GoalFactory, SiteFactory, store
from tests.recount import drafts_and_funnels
from tests.recount.goals import Raw, Recount

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DRAFT = {"type": "event", "match_type": "contains", "match_value": "sign"}


@pytest.fixture
def ask(reader, site):
    def ask(status=200, **body):
        with time_machine.travel(NOW, tick=False):
            path = f"/sites/{site.site_key}/goals/preview"
            response = reader("POST", path, body)
        assert response.status_code == status, response.content
        return response.json()["data" if status == 200 else "details"]

    return ask


@pytest.fixture
def signups(site):
    """Three of one name by two visitors, one of another, and others."""
    for name, visitor in [
        ("signup", 1),
        ("signup", 1),
        ("signup", 2),
        ("newsletter_sign", 3),
        ("other", 4),
    ]:
        store(site, "event", name, at=NOW, visitor=visitor, amount=1_2500)
    store(site, "goal", "signup", at=NOW)
    old = datetime(2025, 12, 1, tzinfo=UTC)
    store(site, "event", "signature", at=old)


def test_draft_is_counted_and_not_stored(signups, ask):
    assert ask(**DRAFT) == {
        "period": {"from": "2026-02-08", "to": "2026-03-10"},
        "conversions": 4,
        "unique_conversions": 3,
        "revenue": None,
        "names": [
            {"name": "signup", "conversions": 3},
            {"name": "newsletter_sign", "conversions": 1},
            {"name": "signature", "conversions": 0},
        ],
        "total_names": 3,
        "hints": [],
        "overlaps": [],
    }
    assert not Goal.objects.exists()


def test_draft_may_have_a_currency_and_a_name(signups, ask):
    assert ask(**DRAFT, name="Draft", currency="EUR")["revenue"] == 5


def test_period_is_taken(signups, ask):
    days = {"period": "custom", "from": "2025-12-01", "to": "2025-12-01"}
    answer = ask(**DRAFT, **days)
    assert answer["period"] == {"from": "2025-12-01", "to": "2025-12-01"}
    assert answer["conversions"] == 1


def test_edit_shows_what_it_would_win_and_lose(signups, site, ask):
    goal = GoalFactory.create(site=site, match_value="other", currency="USD")
    answer = ask(goal=str(goal.id), match_type="contains", match_value="up")
    assert answer["conversions"] == 3
    assert answer["revenue"] == 3.75
    assert answer["wins"] == {
        "conversions": 3,
        "names": [{"name": "signup", "conversions": 3}],
        "total_names": 1,
    }
    assert answer["loses"] == {
        "conversions": 1,
        "names": [{"name": "other", "conversions": 1}],
        "total_names": 1,
    }
    goal.refresh_from_db()
    assert (goal.match_type, goal.match_value) == ("exact", "other")


def test_edit_of_the_type_loses_everything(signups, site, ask):
    goal = GoalFactory.create(site=site)
    answer = ask(goal=str(goal.id), type="custom")
    assert (answer["wins"]["conversions"], answer["loses"]["conversions"]) == (1, 3)


def test_edit_of_nothing_neither_wins_nor_loses(signups, site, ask):
    goal = GoalFactory.create(site=site)
    answer = ask(goal=str(goal.id))
    assert answer["conversions"] == 3
    nothing = {"conversions": 0, "names": [], "total_names": 0}
    assert answer["wins"] == answer["loses"] == nothing


def test_fifty_most_frequent_names_are_shown(site, ask):
    for number in range(52):
        for _ in range(2 if number == 51 else 1):
            store(site, "event", f"sign{number}", at=NOW)
    answer = ask(**DRAFT)
    assert answer["total_names"] == 52
    assert answer["conversions"] == 53
    shown = [name["name"] for name in answer["names"]]
    assert shown == ["sign51", *(f"sign{number}" for number in range(49))]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"match_type": "regex", "match_value": "(?=x)"}, "match_value"),
        ({"match_type": "regexp"}, "match_type"),
        ({"match_value": ""}, "match_value"),
        ({"match_value": "x" * 1_025}, "match_value"),
        ({"currency": "XXX"}, "currency"),
        ({"matchvalue": "x"}, "matchvalue"),
        ({"period": "1d"}, "period"),
        ({"from": "2026-01-01"}, "from"),
        ({"period": "custom", "from": "2026-01-01"}, "to"),
        ({"goal": "nonsense"}, "goal"),
        ({"goal": 5}, "goal"),
        ({"goal": None}, "goal"),
        ({"goal": "550e8400-e29b-41d4-a716-446655440000"}, "goal"),
    ],
)
def test_wrong_field_is_refused_as_by_creating(ask, body, field):
    assert list(ask(422, **{**DRAFT, **body})) == [field]


def test_missing_fields_are_named(ask):
    assert set(ask(422)) == {"type", "match_type", "match_value"}


def test_edit_is_validated_as_a_whole(site, ask):
    goal = GoalFactory.create(site=site, match_value="(")
    assert list(ask(422, goal=str(goal.id), match_type="regex")) == ["match_value"]


def test_goal_of_another_site_does_not_exist(site, ask):
    other = GoalFactory.create(site=SiteFactory.create(team=site.team))
    deleted = GoalFactory.create(site=site, deleted_at=NOW)
    for goal in (other, deleted):
        assert ask(422, goal=str(goal.id)) == {"goal": ["No such goal on this site."]}


def test_query_parameter_is_refused(reader, site):
    response = reader("POST", f"/sites/{site.site_key}/goals/preview?period=7d", DRAFT)
    assert response.status_code == 422


def test_request_without_a_body_is_malformed(reader, site):
    response = reader("POST", f"/sites/{site.site_key}/goals/preview")
    assert response.status_code == 400


NAMES = ["a", "b", "ab", "ba", "aab"]


@pytest.mark.django_db
@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["event", "goal"]),
            st.sampled_from(NAMES),
            st.integers(1, 3),
            st.integers(8, 12),
        ),
        max_size=15,
    ),
    *[
        st.tuples(
            st.sampled_from(["event", "custom"]),
            st.sampled_from(["exact", "contains", "regex"]),
            st.sampled_from(["a", "b", "ab", "a?b"]),
        )
    ]
    * 2,
)
def test_numbers_equal_a_recount(happened, old, new):
    site = SiteFactory.create()
    history = []
    for type, name, visitor, day in happened:
        at = datetime(2026, 3, day, tzinfo=UTC)
        store(site, type, name, at=at, visitor=visitor)
        history.append(Raw(type, name, at.date(), at, visitor))
    before, after = (
        Goal(site=site, type=type, match_type=match_type, match_value=value)
        for type, match_type, value in (old, new)
    )
    days = Days(date(2026, 3, 9), date(2026, 3, 11))
    expected = drafts_and_funnels.preview(Recount(history, after, {}), *days, before)
    period = {"from": days.first, "to": days.last}
    found = msgspec.to_builtins(
        preview(after, days, before), builtin_types=(date, Decimal)
    )
    # `test_advice.py` has what is said beside the numbers.
    del found["hints"], found["overlaps"]
    assert found == {"period": period, **expected}
