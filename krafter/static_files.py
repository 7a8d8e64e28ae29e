"""Static files with a digest of their content in their names, cached for a year.

`{% static %}` uses these names. Files are not copied: the digest is computed from the
file in its package when it is first used.
"""

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.core.exceptions import SuspiciousFileOperation
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase

from krafter.caching import MIN_COMPRESSED, accepts_gzip

FOR_A_YEAR = "public, max-age=31536000, immutable"
_HASHED = re.compile(r"(?P<stem>.+)\.(?P<digest>[0-9a-f]{12})(?P<suffix>\.[^./]+)")
_PACKED_TYPES = ("text/", "application/javascript", "application/json", "image/svg")


class _File(NamedTuple):
    digest: str
    content_type: str
    plain: bytes
    packed: bytes | None


class HashedFilesStorage(StaticFilesStorage):
    """Adds the digest to the names of files; other names are unchanged."""

    def url(self, name: str | None, force: bool = False) -> str:
        plain: str = super().url(name)
        file = _file(name or "")
        if file is None:
            return plain
        stem, dot, suffix = plain.rpartition(".")
        return f"{stem}.{file.digest}{dot}{suffix}" if dot else plain


class HashedFilesMiddleware:
    """Serves them. Names without a digest, or with an old one, are not handled here."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        found = _asked_for(request.path_info)
        if found is None:
            return self.get_response(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(("GET", "HEAD"))
        packs = found.packed and accepts_gzip(request.headers.get("Accept-Encoding"))
        response = HttpResponse(
            found.packed if packs else found.plain, content_type=found.content_type
        )
        response.headers["Cache-Control"] = FOR_A_YEAR
        if found.packed:
            response.headers["Vary"] = "Accept-Encoding"
        if packs:
            response.headers["Content-Encoding"] = "gzip"
        return response


def _asked_for(path: str) -> _File | None:
    prefix = f"/{settings.STATIC_URL.strip('/')}/"
    if not path.startswith(prefix):
        return None
    asked = _HASHED.fullmatch(path.removeprefix(prefix))
    if asked is None:
        return None
    file = _file(asked["stem"] + asked["suffix"])
    return file if file and file.digest == asked["digest"] else None


def _file(name: str) -> _File | None:
    """Return the file with this name. Only names of existing files are cached."""
    path = _path(name)
    return _read(path) if path else None


def _path(name: str) -> str | None:
    if name in _paths:
        return _paths[name]
    try:
        found = finders.find(name)
    # What leads out of the folders, or is no name for the system.
    except (OSError, SuspiciousFileOperation, ValueError):
        return None
    if not found or not Path(found).is_file():
        return None
    return _paths.setdefault(name, str(found))


_paths: dict[str, str] = {}


@cache
def _read(path: str) -> _File:
    content = Path(path).read_bytes()
    guessed = mimetypes.guess_type(path)[0] or "application/octet-stream"
    packs = guessed.startswith(_PACKED_TYPES) and len(content) >= MIN_COMPRESSED
    return _File(
        hashlib.sha256(content).hexdigest()[:12],
        f"{guessed}; charset=utf-8" if guessed.startswith(_PACKED_TYPES) else guessed,
        content,
        gzip.compress(content, 9, mtime=0) if packs else None,
    )
