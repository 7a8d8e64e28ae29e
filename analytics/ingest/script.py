"""The script that sites put on their pages, at an address that stays."""

from functools import cache
from pathlib import Path

PATH = "/a.js"
HEADERS = {
    "Content-Type": "text/javascript; charset=utf-8",
    "Cache-Control": "public, max-age=86400",
    "X-Content-Type-Options": "nosniff",
}

_FILE = Path(__file__).parents[1] / "static" / "analytics" / "a.js"


@cache
def content() -> bytes:
    return _FILE.read_bytes()
