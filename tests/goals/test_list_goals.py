"""GET /sites/:key/goals, and one goal by its id."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.factories import GoalFactory

pytestmark = pytest.mark.django_db

BEGUN = datetime(2026, 2, 18, tzinfo=UTC)


@pytest.fixture
def goals(site):
    """The three goals of the document's example, made in its order."""
    rows = [
        ("Purchase", "custom", "exact", "purchase", "USD"),
        ("Newsletter Signup", "pageview", "exact", "/newsletter/confirmed", None),
        ("Contact Form", "event", "contains", "contact", None),
    ]
    return [
        GoalFactory.create(
            site=site,
            name=name,
            type=kind,
            match_type=match_type,
            match_value=value,
            currency=currency,
            created_at=BEGUN + timedelta(minutes=minute),
        )
        for minute, (name, kind, match_type, value, currency) in enumerate(rows)
    ]


@pytest.fixture
def names(reader, site):
    """The names of the goals that a query lists."""

    def names(query=""):
        response = reader("GET", f"/sites/{site.site_key}/goals{query}")
        assert response.status_code == 200, response.content
        return [goal["name"] for goal in response.json()["data"]]

    return names


def test_goals_are_listed_as_documented(reader, site, goals):
    response = reader("GET", f"/sites/{site.site_key}/goals", queries=3)
    first, second, third = (goal.id for goal in goals)
    assert response.status_code == 200
    assert response.content.decode() == (
        '{"data":['
        f'{{"id":"{first}","name":"Purchase","type":"custom","match_type":"exact",'
        '"match_value":"purchase","currency":"USD"},'
        f'{{"id":"{second}","name":"Newsletter Signup","type":"pageview",'
        '"match_type":"exact","match_value":"/newsletter/confirmed","currency":null},'
        f'{{"id":"{third}","name":"Contact Form","type":"event",'
        '"match_type":"contains","match_value":"contact","currency":null}'
        "]}"
    )


def test_site_without_goals_has_an_empty_list(reader, site):
    response = reader("GET", f"/sites/{site.site_key}/goals")
    assert response.content == b'{"data":[]}'


def test_list_is_whole_and_oldest_first(names, site):
    for minute in (3, 1, 2):
        at = BEGUN + timedelta(minutes=minute)
        GoalFactory.create(site=site, name=str(minute), created_at=at)
    for number in range(200):
        GoalFactory.create(site=site, name=f"later {number}")
    assert names()[:4] == ["1", "2", "3", "later 0"]
    assert len(names()) == 203


def test_order_of_goals_of_one_moment_is_stable(names, site):
    made = [GoalFactory.create(site=site, created_at=BEGUN) for _ in range(5)]
    for goal in made:
        goal.name = str(goal.id)
        goal.save()
    assert names() == sorted(str(goal.id) for goal in made)


def test_deleted_goals_are_not_listed(names, goals):
    goals[1].deleted_at = BEGUN
    goals[1].save()
    assert names() == ["Purchase", "Contact Form"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?type=custom", ["Purchase"]),
        ("?type=pageview", ["Newsletter Signup"]),
        ("?match_type=exact", ["Purchase", "Newsletter Signup"]),
        ("?match_type=regex", []),
        ("?currency=USD", ["Purchase"]),
        ("?currency=EUR", []),
        ("?search=contact", ["Contact Form"]),
        ("?search=Sign", ["Newsletter Signup"]),
        ("?search=/newsletter/", ["Newsletter Signup"]),
        ("?search=p", ["Purchase", "Newsletter Signup"]),
        ("?search=zzz", []),
        ("?search=%25", []),
        ("?search=_", []),
        ("?type=event&match_type=exact", []),
        ("?type=event&search=form", ["Contact Form"]),
    ],
)
def test_list_is_filtered(names, goals, query, expected):
    assert names(query) == expected


def test_search_takes_wildcards_for_themselves(names, site):
    GoalFactory.create(site=site, name="100% off", match_value="a_b")
    GoalFactory.create(site=site, name="plain", match_value="a*b")
    for text, expected in [
        ("%25", ["100% off"]),
        ("_", ["100% off"]),
        ("*", ["plain"]),
        ("a_b", ["100% off"]),
    ]:
        assert names(f"?search={text}") == expected


@pytest.mark.parametrize("text", ["größe", "GRÖSSE", "ÖFFENTLICH", "éCOLE", "ΣΊΣΥΦΟΣ"])
def test_search_knows_no_case_on_any_database(names, site, text):
    """SQLite by itself folds the case of ASCII only."""
    GoalFactory.create(site=site, name="GRÖßE Größe", match_value="x")
    GoalFactory.create(site=site, name="öffentlich", match_value="x")
    GoalFactory.create(site=site, name="x", match_value="/École")
    GoalFactory.create(site=site, name="Σίσυφος", match_value="x")
    assert len(names(f"?search={text}")) == 1


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("?type=goal", "type"),
        ("?type=Event", "type"),
        ("?type=", "type"),
        ("?match_type=glob", "match_type"),
        ("?match_type=", "match_type"),
        ("?currency=DOLLAR", "currency"),
        ("?currency=usd", "currency"),
        ("?currency=XYZ", "currency"),
        ("?search=" + "x" * 1_025, "search"),
        ("?search=%00", "search"),
        ("?name=Purchase", "name"),
        ("?page=2", "page"),
        ("?type=event&type=custom", "type"),
    ],
)
def test_wrong_filter_is_named(reader, site, query, parameter):
    response = reader("GET", f"/sites/{site.site_key}/goals{query}")
    assert response.status_code == 422
    assert list(response.json()["details"]) == [parameter]


def test_one_goal_is_read_by_its_id(reader, site, goals):
    url = f"/sites/{site.site_key}/goals/{goals[1].id}"
    assert reader("GET", url).content.decode() == (
        f'{{"data":{{"id":"{goals[1].id}","name":"Newsletter Signup",'
        '"type":"pageview","match_type":"exact",'
        '"match_value":"/newsletter/confirmed","currency":null}}'
    )


@pytest.mark.parametrize("version", [1, 3, 5, 7])
def test_id_may_be_of_any_version(reader, site, version):
    """The document's own examples are of no valid version at all."""
    for identifier in (
        f"550e8400-e29b-{version}1d4-a716-446655440000",
        "661f9511-f39c-52e5-b827-557766551111",
        "772a0622-a40d-63f6-c938-668877662222",
    ):
        goal = GoalFactory.create(id=identifier, site=site)
        url = f"/sites/{site.site_key}/goals/{identifier}"
        assert reader("GET", url).json()["data"]["id"] == identifier
        goal.delete()
