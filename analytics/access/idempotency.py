"""`Idempotency-Key`: a repeated request is answered again, but not executed again.

The row of the key and the work of the request share one transaction. The second of
two concurrent requests waits for the row of the first, and a crash leaves neither
the row nor part of the work.
"""

import hmac
import re
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

import msgspec
from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from analytics import write_turns
from analytics.access.authentication import request_token, site_for
from analytics.models import IdempotencyKey
from krafter.errors import Invalid
from krafter.rendering import EnvelopeRenderer

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
LIFETIME = timedelta(hours=24)

# Visible ASCII. Anchored, for the API description too.
KEY = "^[!-~]{1,255}$"
# Longer than any request takes, but bounded: a connection is held meanwhile.
_WAIT = "10s"
# The response headers that are stored with the body.
_KEPT_HEADERS = ("Location", "ETag")

Action = Callable[..., Response]


def replayable(action: Action) -> Callable[..., HttpResponse]:
    """Decorator for an action of a site that supports `Idempotency-Key`.

    Only successful answers are stored. An error changed nothing, so the corrected
    request may use the same key.
    """

    @wraps(action)
    def answer(view: Any, request: Request, key: str) -> HttpResponse:
        name = request.headers.get(HEADER)
        if name is None:
            return action(view, request, key)
        # A stored answer is only for keys that may access the site now.
        site_for(request, key)
        if not re.fullmatch(KEY, name):
            raise Invalid({HEADER: ["Must be 1 to 255 visible ASCII characters."]})
        return _once(request, name, lambda: action(view, request, key))

    return answer


def _once(request: Request, name: str, act: Callable[[], Response]) -> HttpResponse:
    sent = _digest(msgspec.json.encode(request.data, order="deterministic"))
    place = _digest(f"{request_token(request).team_id} {request.path} {name}".encode())
    with write_turns.turn(), transaction.atomic():
        _wait_briefly()
        _expired().filter(pk=place).delete()
        kept, is_first = IdempotencyKey.objects.get_or_create(
            pk=place, defaults={"request": sent}
        )
        if is_first:
            _keep(kept, act())
        elif kept.request != sent:
            raise Invalid({HEADER: ["Was already used with another body."]})
    response = HttpResponse(
        bytes(kept.body),
        status=kept.status,
        content_type=EnvelopeRenderer.media_type,
        headers=kept.headers,
    )
    if not is_first:
        response.headers[REPLAYED] = "true"
    return response


def _keep(kept: IdempotencyKey, response: Response) -> None:
    kept.status = response.status_code
    kept.headers = {
        header: response.headers[header]
        for header in _KEPT_HEADERS
        if header in response.headers
    }
    kept.body = EnvelopeRenderer().render(response.data)
    kept.save()


def _wait_briefly() -> None:
    """Limit the wait for a concurrent request. SQLite has its own timeout."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{_WAIT}'")


def _digest(content: bytes) -> str:
    # Keyed: an IP address in the body could be recovered from a plain hash.
    return hmac.digest(settings.DATA_KEY.encode(), content, "sha256").hex()


def purge() -> int:
    """Delete expired answers; return how many."""
    return _expired().delete()[0]


def _expired() -> QuerySet[IdempotencyKey]:
    return IdempotencyKey.objects.filter(created_at__lte=timezone.now() - LIFETIME)
