"""docs/dependencies.md names what pyproject.toml asks for, and what is pinned."""

import re
import tomllib
from datetime import date

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from krafter.installation import ROOT
from tests.krafter.test_docs import rows_of

FILE = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT, GROUPS = FILE["project"], FILE["dependency-groups"]
EXTRAS = PROJECT["optional-dependencies"]
ASKED_FOR = {
    canonicalize_name(Requirement(line).name)
    for lines in (PROJECT["dependencies"], *EXTRAS.values(), *GROUPS.values())
    for line in lines
}
ROWS = rows_of("Dependencies", "\n#" + (ROOT / "docs" / "dependencies.md").read_text())


def test_each_dependency_has_a_row_and_each_row_a_dependency():
    named = [canonicalize_name(name.strip("`")) for name, *_ in ROWS]
    assert named == sorted(ASKED_FOR)


def test_each_row_says_everything():
    for name, purpose, licence, released, considered in ROWS:
        assert purpose, name
        assert licence, name
        assert considered, name
        assert date.fromisoformat(released[:10]) > date(2020, 1, 1)


def test_each_dependency_is_pinned():
    files = (ROOT / "requirements.txt", ROOT / "requirements-docs.txt")
    text = "".join(file.read_text() for file in files)
    pinned = {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)", text, re.M)}
    assert pinned >= ASKED_FOR


def test_tools_of_the_documentation_build_the_wheel_too():
    # The wheel has its pages.
    assert set(GROUPS["docs"]) < set(FILE["build-system"]["requires"])


def test_extras_are_the_drivers_sentry_and_archives():
    assert set(EXTRAS) == {"archive", "postgres", "redis", "sentry"}
