"""docs/dependencies.md names what pyproject.toml asks for, and what is pinned."""

import re
import tomllib
from datetime import date

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from krafter.installation import ROOT
from tests.krafter.test_docs import rows_of

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
ASKED_FOR = {
    canonicalize_name(Requirement(line).name)
    for lines in (PROJECT["dependencies"], *EXTRAS.values())
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
    text = (ROOT / "requirements.txt").read_text()
    pinned = {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)", text, re.M)}
    assert pinned >= ASKED_FOR


def test_extras_are_the_drivers_and_sentry():
    assert set(EXTRAS) == {"postgres", "redis", "sentry"}
