"""What holds the parts apart: import contracts, one owner for each matter."""

import ast
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from django.core.management import call_command
from importlinter.cli import lint_imports_command

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("analytics", "goals", "krafter")
SOURCES = [
    path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if "migrations" not in path.parts
]


def modules_that_import(*names):
    """The source files that import one of these modules or names."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            imported = set()
            if isinstance(node, ast.Import):
                imported = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported = {f"{node.module}.{alias.name}" for alias in node.names}
            if imported & set(names):
                found.add(str(path.relative_to(ROOT)))
    return found


def test_import_contracts_are_kept(monkeypatch):
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(lint_imports_command, ["--no-cache"])
    assert result.exit_code == 0, result.output
    kept = re.search(r"(\d+) kept, 0 broken", result.output)
    assert kept
    assert int(kept[1]) >= 2


@pytest.mark.django_db
def test_every_model_has_its_migration():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_only_the_matcher_knows_patterns_of_goals():
    """One rule, one implementation: nothing else decides what matches."""
    outside = modules_that_import("re2") - {
        "goals/matching.py",
        # Crawlers, and the wildcards of excluded paths: no goals.
        "analytics/agents.py",
        "analytics/ingest.py",
    }
    assert not outside


def test_only_visitors_knows_secrets_of_visitors():
    importers = modules_that_import("analytics.models.Salt")
    assert importers <= {"analytics/visitors.py"}
    assert modules_that_import("geoip2fast") == {"analytics/visitors.py"}


def test_only_events_writes_facts():
    """The seam for another engine."""
    word = re.compile(
        r"\b(?:Event|EventName|Context)\.objects\b(?!\.none\(\))|analytics_event\b"
    )
    users = {
        str(path.relative_to(ROOT)) for path in SOURCES if word.search(path.read_text())
    }
    assert {path for path in users if not path.startswith("analytics/events/")} == set()
