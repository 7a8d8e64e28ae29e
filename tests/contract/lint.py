"""What linters of OpenAPI documents say; see docs/openapi-lint.md."""

import shutil
from pathlib import Path

from tests.contract.programs import DOCUMENT, npx, project


def lint(parent: Path) -> None:
    """Raise Failed for the first error or warning of either."""
    folder = parent / "lint"
    project(folder, "spectral.yaml")
    shutil.copy(DOCUMENT, folder)
    npx(folder, "redocly", "lint", "--extends", "recommended", DOCUMENT.name)
    npx(
        *(folder, "spectral", "lint", "--ruleset", "spectral.yaml"),
        *("--fail-severity", "warn", DOCUMENT.name),
    )
