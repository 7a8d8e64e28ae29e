"""What the service is measured against: apps that do nothing."""

import secrets
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path
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


@cache
def _django() -> WSGIHandler:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=type("urls", (), {"urlpatterns": [path("", view)]}),
        SECRET_KEY=secrets.token_hex(),
    )
    django.setup()
    return WSGIHandler()


@cache
def _drf() -> WSGIHandler:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=["rest_framework"],
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": [],
            "DEFAULT_PERMISSION_CLASSES": [],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
            "UNAUTHENTICATED_USER": None,
        },
        ROOT_URLCONF=(urls := type("urls", (), {"urlpatterns": []})),
        SECRET_KEY=secrets.token_hex(),
    )
    django.setup()
    from rest_framework.decorators import api_view
    from rest_framework.response import Response

    @api_view(["GET"])
    def constant(request: Any) -> Response:
        return Response({"data": {"ok": True}})

    urls.urlpatterns.append(path("", constant))  # type: ignore[attr-defined]
    return WSGIHandler()


def drf_application(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """A constant DRF view, without middleware, keys and limits."""
    return _drf()(environ, start_response)


def django_application(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    return _django()(environ, start_response)
