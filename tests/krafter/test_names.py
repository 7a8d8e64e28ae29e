"""Names are one printable line, and what is older is printed escaped."""

import io

import pytest
from django.core.management import CommandError, call_command

from analytics.models import ApiToken
from krafter import names
from tests.factories import GoalFactory
from tests.routes import GOAL

WRONG = [
    *("a\0b", "a\x1b[31mb", "a\nb", "a\rb", "a\tb", "a\x7fb", "a\x85b", "a\x9bb"),
    *("a\u2028b", "a\u2029b", "a\u202eb", "a\u2066b", "a\u200fb", "a\u061cb"),
]
RIGHT = [
    *("Purchase", "Grüße aus Köln", "購入", "عربي", "עברית"),
    *("\U0001f469\u200d\U0001f467", "a\u2014b", "a\u00a0b"),
]


@pytest.mark.parametrize("name", WRONG)
def test_unprintable_name_is_told_and_escaped(name):
    assert not names.is_name(name)
    assert not names.is_name(name[:-1])
    assert names.printable(name) == ascii(name)[1:-1]


@pytest.mark.parametrize("name", RIGHT)
def test_printable_name_stays(name):
    assert names.is_name(name)
    assert names.printable(name) == name


@pytest.mark.django_db
@pytest.mark.parametrize("name", WRONG)
def test_api_refuses_it(owner, site, name):
    goal = GoalFactory.create(site=site)
    for method, path, body in (
        ("POST", f"/sites/{site.site_key}/goals", {**GOAL, "name": name}),
        ("PATCH", f"/sites/{site.site_key}/goals/{goal.id}", {"name": name}),
        ("POST", "/sites", {"domain": "new.example", "name": name}),
        ("PATCH", f"/sites/{site.site_key}", {"name": name}),
        ("POST", "/api/v1/tokens", {"name": name, "scopes": ["analytics:read"]}),
    ):
        answer = owner(method, path, body)
        assert answer.status_code == 422, path
        assert list(answer.json()["details"]) == ["name"]
    many = {"goals": [{**GOAL, "name": name}]}
    answer = owner("POST", f"/sites/{site.site_key}/goals/apply", many)
    assert list(answer.json()["details"]) == ["goals.0.name"]


@pytest.mark.django_db
@pytest.mark.parametrize("name", RIGHT)
def test_api_takes_it(owner, site, name):
    answer = owner("PATCH", f"/sites/{site.site_key}", {"name": name})
    assert answer.json()["data"]["name"] == name


@pytest.mark.django_db
def test_commands_print_old_names_escaped(site, tmp_path):
    GoalFactory.create(site=site, name="a\x1b[2Jb\u202ec\nd")
    path = tmp_path / "goals.yaml"
    path.write_text("goals: []\n")
    out = io.StringIO()
    command = ("goals", "apply", "--site", site.site_key, str(path), "--dry-run")
    call_command(*command, stdout=out)
    assert out.getvalue().splitlines()[0].startswith(r"- a\x1b[2Jb\u202ec\nd: event")


@pytest.mark.django_db
def test_command_makes_no_key_with_such_a_name(site):
    with pytest.raises(CommandError, match="not allowed"):
        call_command("create_token", name="a\x1bb", scopes="*")
    assert not ApiToken.objects.exists()
    assert str(ApiToken(name="a\x1bb", key_prefix="kr_live_abcd")) == (
        r"a\x1bb (kr_live_abcd…)"
    )
