"""What holds the parts apart: import contracts, one owner for each matter."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).resolve().parents[2]
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


def modules_that_import_from(*packages):
    """The source files that import anything of these packages."""
    imports = re.compile(rf"^\s*(?:from|import) (?:{'|'.join(packages)})\b", re.M)
    return {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if imports.search(path.read_text())
    }


def test_import_contracts_are_kept():
    # A process of its own: the command turns off the loggers of the one it is in.
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout
    kept = re.search(r"(\d+) kept, 0 broken", result.stdout)
    assert kept
    assert int(kept[1]) >= 2


def test_krafter_names_an_app_in_its_settings_urls_and_asgi_only():
    """Not by a string either, such as one that is imported when it is needed."""
    named = {
        path.name
        for path in (ROOT / "krafter").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if re.match(r"(analytics|goals)(\.\w+)*$", node.value)
    }
    imported = modules_that_import_from("analytics", "goals")
    root = {"settings.py", "urls.py", "asgi.py"}
    assert "settings.py" in named
    assert named <= root
    assert {Path(path).name for path in imported if path.startswith("krafter/")} <= root


@pytest.mark.django_db
def test_every_model_has_its_migration():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_only_the_matcher_knows_patterns_of_goals():
    """One rule, one implementation: nothing else decides what matches."""
    assert modules_that_import("re2") == {
        "goals/matching.py",
        # Crawlers, and the wildcards of excluded paths: no goals.
        "analytics/ingest/user_agents.py",
        "analytics/ingest/pipeline.py",
    }


def test_only_visitors_knows_secrets_of_visitors():
    salts = {"analytics/ingest/salts.py"}
    # Where it is made, and made known.
    models = {"analytics/models/__init__.py"}
    names = ("analytics.models.SiteSalt", "analytics.models.expiring.SiteSalt")
    assert modules_that_import(*names) - models == salts


def test_only_country_knows_tables_of_countries():
    importers = modules_that_import("iptocc", "maxminddb")
    assert importers == {"analytics/ingest/country.py"}


def test_only_events_writes_facts():
    """The seam for another engine."""
    word = re.compile(
        r"\b(?:Event|EventName|Context)\.objects\b(?!\.none\(\))|analytics_event\b"
    )
    users = {
        str(path.relative_to(ROOT)) for path in SOURCES if word.search(path.read_text())
    }
    seam = {path for path in users if path.startswith("analytics/events/")}
    assert seam
    assert users == seam
