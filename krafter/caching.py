"""HTTP caching: `Cache-Control`, ETags, conditional requests, gzip.

An ETag is a digest of the body as sent, so it changes exactly when the body does,
and nothing needs to be stored or invalidated. All ETags are strong; a compressed
body has its own.
"""

import gzip
import hashlib
import re
from collections.abc import Callable, Iterator
from typing import cast

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.http import parse_etags
from django.utils.text import compress_sequence
from rest_framework.request import Request

from krafter.errors import PreconditionFailed, said
from krafter.rendering import API_PREFIX, encode

# Smaller bodies fit into one packet; compressing them saves nothing.
MIN_COMPRESSED = 1_000
# Higher levels take twice the time to save another 1 %.
_LEVEL = 6

_PACKED = "-gzip"
_REFUSED = re.compile(r"\s*q=0(?:\.0*)?\s*")


def etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def etag_of(data: object) -> str:
    """The ETag of a GET response with this data."""
    return etag(encode({"data": data}))


def check_if_match(request: Request, data: object) -> None:
    """Check the `If-Match` header against the current state of the resource.

    `data` is the current GET response. Call this while holding the lock of the
    change. Raises PreconditionFailed.
    """
    header = request.headers.get("If-Match")
    if header is None:
        return
    # The ETags of the compressed and the plain body mean the same state.
    seen = [tag.replace(f'{_PACKED}"', '"') for tag in parse_etags(header)]
    if seen != ["*"] and etag_of(data) not in seen:
        raise PreconditionFailed


class CachingMiddleware:
    """Adds `Cache-Control`, `Vary`, ETag and gzip to API responses; answers 304."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not request.path_info.startswith(API_PREFIX):
            return response
        # Only the client may store it, and must revalidate it each time: a key
        # may be revoked and a figure may change at any moment.
        response.headers.setdefault("Cache-Control", "private, no-cache")
        patch_vary_headers(response, ("Authorization", "Accept"))
        if "no-store" in response.headers["Cache-Control"]:
            # The response contains a secret. It is not compressed either, since
            # the length of a compressed body reveals parts of it (BREACH).
            return response
        if isinstance(response, StreamingHttpResponse):
            return _compress_stream(request, response)
        return revalidated(request, cast(HttpResponse, response))


def revalidated(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Return the response with an ETag and compressed, or 304 if the client already has
    it.
    """
    is_read = request.method in ("GET", "HEAD")
    if is_read and response.status_code == 200:
        response.headers["ETag"] = etag(response.content)
    compress(request, response)
    if not is_read:
        return response
    tag = response.headers.get("ETag")
    answer = get_conditional_response(request, tag, response=response) or response
    if answer.status_code == 412:
        return HttpResponse(
            encode(said(412, PreconditionFailed.default_detail)),
            status=412,
            content_type="application/json",
        )
    return answer


def compress(request: HttpRequest, response: HttpResponse) -> None:
    """Compress the body if it is long enough and the client accepts gzip."""
    if len(response.content) < MIN_COMPRESSED:
        return
    patch_vary_headers(response, ("Accept-Encoding",))
    if not accepts_gzip(request.headers.get("Accept-Encoding")):
        return
    response.content = gzip.compress(response.content, _LEVEL, mtime=0)
    response.headers["Content-Length"] = str(len(response.content))
    response.headers["Content-Encoding"] = "gzip"
    if request.method in ("GET", "HEAD") and "ETag" in response.headers:
        response.headers["ETag"] = f'{response.headers["ETag"][:-1]}{_PACKED}"'


def _compress_stream(
    request: HttpRequest, response: StreamingHttpResponse
) -> StreamingHttpResponse:
    patch_vary_headers(response, ("Accept-Encoding",))
    if accepts_gzip(request.headers.get("Accept-Encoding")):
        blocks = cast(Iterator[bytes], response.streaming_content)
        response.streaming_content = compress_sequence(blocks)
        response.headers["Content-Encoding"] = "gzip"
    return response


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Return whether a client accepts gzip, according to its `Accept-Encoding`."""
    for accepted in (accept_encoding or "").split(","):
        coding, _, weight = accepted.partition(";")
        if coding.strip().lower() == "gzip":
            return not _REFUSED.fullmatch(weight)
    return False
