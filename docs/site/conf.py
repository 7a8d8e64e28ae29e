"""Sphinx: how `make docs` makes the pages of /docs out of this folder."""

import tomllib
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_STATIC = _ROOT / "goals" / "static" / "goals"

project = "Krafter Analytics"
release = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["version"]
extensions = ["myst_parser"]
# This folder, with the template and its styles.
exclude_patterns = ["site"]

# Links of GitHub's kind, `http.md#retries`, are followed and checked.
myst_heading_anchors = 4
# "..." and quotes stay what a person would paste.
myst_enable_extensions: list[str] = []
smartquotes = False
# What has no language is a command or an answer.
highlight_language = "none"

html_theme = "theme"
html_theme_path = [str(Path(__file__).parent)]
html_title = project
# The look of the owners' pages, in the same files.
html_static_path = [
    str(_STATIC / name) for name in ("pages.css", "theme.js", "favicon.svg")
]
html_css_files = [("pages.css", {"priority": 100}), ("docs.css", {"priority": 200})]
html_js_files = [("theme.js", {"priority": 100})]
html_copy_source = False
html_use_index = False
