"""The scripts that sites include in their pages, at permanent addresses."""

import gzip
from functools import cache
from pathlib import Path

PATHS = ("/a.js", "/a.more.js")

_FOLDER = Path(__file__).parents[1] / "static" / "analytics"
_HEADERS = {
    "Content-Type": "text/javascript; charset=utf-8",
    "Cache-Control": "public, max-age=86400",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


def script(path: str, *, accepts_gzip: bool) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of the script at one of PATHS."""
    if accepts_gzip:
        return _HEADERS | {"Content-Encoding": "gzip"}, _packed(path)
    return _HEADERS, _plain(path)


@cache
def _plain(path: str) -> bytes:
    return (_FOLDER / path.removeprefix("/")).read_bytes()


@cache
def _packed(path: str) -> bytes:
    return gzip.compress(_plain(path), 9, mtime=0)
