"""The codes of countries. Pure."""

from functools import cache
from importlib import resources


@cache
def codes() -> frozenset[str]:
    """The codes of ISO 3166, and XK, which all tables use for Kosovo."""
    lines = (resources.files("tzdata") / "zoneinfo" / "iso3166.tab").read_text()
    rows = (line for line in lines.splitlines() if not line.startswith("#"))
    return frozenset(row.partition("\t")[0] for row in rows) | {"XK"}
