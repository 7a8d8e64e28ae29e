"""manage.py goals export and apply."""

import io
import sys

import pytest
import yaml
from django.core.management import CommandError, call_command

from krafter import names
from tests.factories import GoalFactory, SiteFactory

pytestmark = pytest.mark.django_db

FILE = """\
# The goals of our shops
goals:
  - name: Signup
    type: event
    match_type: exact
    match_value: signup
  - {name: Purchase, type: custom, match_type: exact, match_value: purchase,
     currency: USD}
"""


def run(*arguments):
    out = io.StringIO()
    call_command("goals", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "goals.yaml"
    path.write_text(FILE)
    return path


def stored(site):
    fields = ("name", "type", "match_type", "match_value", "currency")
    return list(site.goals.undeleted().values_list(*fields))


GOALS = [
    ("Signup", "event", "exact", "signup", None),
    ("Purchase", "custom", "exact", "purchase", "USD"),
]


def test_applied_file_makes_its_goals(site, file):
    assert run("apply", "--site", site.site_key, str(file)) == (
        "+ Signup: event exact 'signup'\n"
        "+ Purchase: custom exact 'purchase' USD\n"
        "2 created, 0 changed, 0 deleted, 0 kept.\n"
    )
    assert stored(site) == GOALS


def test_applied_file_changes_and_deletes(site, file):
    GoalFactory.create(site=site, name="Signup", match_type="contains")
    GoalFactory.create(site=site, name="Old")
    assert run("apply", "--site", site.site_key, str(file)) == (
        "+ Purchase: custom exact 'purchase' USD\n"
        "- Signup: event contains 'signup'\n"
        "+ Signup: event exact 'signup'\n"
        "- Old: event exact 'signup'\n"
        "1 created, 1 changed, 1 deleted, 0 kept.\n"
    )
    assert sorted(stored(site)) == sorted(GOALS)


def test_dry_run_only_says_it(site, file):
    GoalFactory.create(site=site, name="Old")
    said = run("apply", "--site", site.site_key, str(file), "--dry-run")
    assert said.endswith(
        "Dry run, nothing changed: 2 created, 0 changed, 1 deleted, 0 kept.\n"
    )
    assert [name for name, *_ in stored(site)] == ["Old"]


def test_export_is_yaml_of_all_but_the_ids(site, file):
    run("apply", "--site", site.site_key, str(file))
    exported = run("export", "--site", site.site_key)
    assert yaml.safe_load(exported) == yaml.safe_load(FILE)
    assert exported.startswith("goals:\n- name: Signup\n  type: event\n")


@pytest.mark.parametrize("text", ["a\u202eb", "a\x85b", "ä\u2066\u200f", "a\x1b[2J"])
@pytest.mark.parametrize("field", ["name", "match_value"])
def test_export_shows_a_terminal_nothing_that_rewrites_it(site, text, field):
    GoalFactory.create(site=site, **{field: text})
    exported = run("export", "--site", site.site_key)
    assert all(names.printable(line) == line for line in exported.splitlines())
    assert yaml.safe_load(exported)["goals"][0][field] == text


def test_goals_are_copied_from_one_site_to_another(site, monkeypatch):
    odd = ["yes", "1.5", "ünï — 日本", "a: b # c", "x" * 255, "'\"", "~"]
    for name in odd:
        GoalFactory.create(site=site, name=name, match_value=f" {name}\n\t")
    other = SiteFactory.create()
    monkeypatch.setattr(
        sys, "stdin", io.StringIO(run("export", "--site", site.site_key))
    )
    run("apply", "--site", other.site_key, "-")
    assert stored(other) == stored(site)
    assert len(stored(other)) == len(odd)


def test_site_without_goals_exports_an_empty_list(site):
    assert run("export", "--site", site.site_key) == "goals: []\n"


def test_missing_goals_are_kept_if_the_file_says_so(site, tmp_path):
    GoalFactory.create(site=site, name="Old")
    path = tmp_path / "goals.yaml"
    path.write_text(FILE + "delete_missing: false\n")
    run("apply", "--site", site.site_key, str(path))
    assert len(stored(site)) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (FILE.replace("exact", "regexp", 1), "goals.0.match_type: "),
        (FILE.replace("Purchase", "Signup"), "goals.1.name: The list has this name"),
        (FILE.replace("match_value: signup", "match_value: 5"), "goals.0.match_value"),
        ("goals: [", "is not YAML"),
        ("goals: !!python/object/apply:os.getpid []", "is not YAML"),
        ("- Signup", "Invalid data"),
        ("", "No data provided"),
        ("goal: []", "goal: Unknown field."),
        ("\x00", "is not YAML"),
    ],
)
def test_wrong_file_changes_nothing_and_says_where(site, tmp_path, content, message):
    GoalFactory.create(site=site, name="Old")
    path = tmp_path / "goals.yaml"
    path.write_text(content)
    with pytest.raises(CommandError, match=message):
        run("apply", "--site", site.site_key, str(path))
    assert [name for name, *_ in stored(site)] == ["Old"]


def test_missing_file_and_site_are_errors(site, tmp_path):
    with pytest.raises(CommandError, match="No such file"):
        run("apply", "--site", site.site_key, str(tmp_path / "none"))
    for action in (["export"], ["apply", "-"]):
        with pytest.raises(CommandError, match="no site with the key"):
            run(*action, "--site", "sk_none")


def test_names_that_the_site_has_twice_are_not_exported(site):
    GoalFactory.create_batch(2, site=site)
    with pytest.raises(CommandError, match="several goals named 'Signup'"):
        run("export", "--site", site.site_key)
