"""The OpenAPI document, and the page that displays it."""

from functools import cache
from threading import Lock
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer

# Users paste API keys into the page: it may not load or send anything elsewhere.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)


@require_safe
def openapi_json(request: HttpRequest) -> HttpResponse:
    return _served(request, rendered_json(), "application/json")


@require_safe
def openapi_yaml(request: HttpRequest) -> HttpResponse:
    return _served(request, rendered_yaml(), "application/yaml")


def _served(request: HttpRequest, rendered: bytes, media_type: str) -> HttpResponse:
    """Return the document with the requested host as its server."""
    (server,) = document()["servers"]
    here = request.build_absolute_uri("/").rstrip("/")
    body = rendered.replace(server["url"].encode(), here.encode())
    return HttpResponse(body, content_type=media_type)


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    response = render(request, "api_docs.html")
    response.headers["Content-Security-Policy"] = _POLICY
    return response


def document() -> dict[str, Any]:
    """The OpenAPI document, generated once per process."""
    # drf-spectacular is not thread-safe while it loads its extensions.
    with _generating:
        return _document()


_generating = Lock()


@cache
def _document() -> dict[str, Any]:
    generated: dict[str, Any] = SchemaGenerator().get_schema(public=True)
    return generated


@cache
def rendered_json() -> bytes:
    return OpenApiJsonRenderer().render(document(), renderer_context={})


@cache
def rendered_yaml() -> bytes:
    rendered: bytes = OpenApiYamlRenderer().render(document())
    return rendered
