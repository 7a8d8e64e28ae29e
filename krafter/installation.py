"""Paths and version, in a clone of the repository or as an installed package."""

import os
import tomllib
from importlib import metadata
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

# The folder that the packages are in.
ROOT = Path(__file__).resolve().parent.parent
_PROJECT = ROOT / "pyproject.toml"
IS_CLONE = _PROJECT.is_file()

# What people type before the name of a command.
COMMAND = ".venv/bin/python manage.py" if IS_CLONE else "krafter"
# The wheel has them inside this package: pyproject.toml says so.
TEMPLATES = ROOT / "templates" if IS_CLONE else Path(__file__).parent / "templates"
# Made by `make docs`, or by the build of the wheel (hatch_build.py).
DOCUMENTATION = ROOT / "build" / "docs" if IS_CLONE else Path(__file__).parent / "docs"


def version() -> str:
    """The version in pyproject.toml. A clone is usually not installed."""
    if IS_CLONE:
        return str(tomllib.loads(_PROJECT.read_text())["project"]["version"])
    return metadata.version("krafter")


def data_dir() -> Path:
    """The absolute path of DATA_DIR.

    Without the variable: `data` in a clone, else `krafter` in the user's data
    folder as XDG has it. Raises ImproperlyConfigured where there is no home.
    """
    if configured := os.environ.get("DATA_DIR"):
        return Path(configured).absolute()
    if IS_CLONE:
        return ROOT / "data"
    # The XDG specification says that a relative path must be ignored.
    shared = Path(os.environ.get("XDG_DATA_HOME", ""))
    if not shared.is_absolute():
        try:
            shared = Path.home() / ".local" / "share"
        except RuntimeError:
            raise ImproperlyConfigured(
                "DATA_DIR must be set where there is no home folder"
            ) from None
    return shared / "krafter"
