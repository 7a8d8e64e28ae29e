"""What the service is measured against: apps that do nothing."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt


def application(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """Plain WSGI, a constant answer."""
    environ["wsgi.input"].read()
    start_response("202 Accepted", [("Content-Type", "application/json")])
    return [b'{"ok":true}']


@csrf_exempt
def view(request: HttpRequest) -> HttpResponse:
    """The same as a Django view, routed but without middleware."""
    request.read()
    return HttpResponse(b'{"ok":true}', status=202, content_type="application/json")


def django_application(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    return _django()(environ, start_response)


_cache: list[Any] = []


def _django() -> Any:
    if not _cache:
        from django.conf import settings
        from django.core.handlers.wsgi import WSGIHandler
        from django.urls import path

        settings.configure(
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF=type("urls", (), {"urlpatterns": [path("", view)]}),
            SECRET_KEY=os.urandom(16).hex(),
        )
        import django

        django.setup()
        _cache.append(WSGIHandler())
    return _cache[0]
