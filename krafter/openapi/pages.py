"""The OpenAPI document, and the page that shows it and tries it out."""

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer

# The page shows what visitors paste: nothing may come from, or go, elsewhere.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)


@require_safe
def openapi_json(request: HttpRequest) -> HttpResponse:
    return HttpResponse(rendered_json(), content_type="application/json")


@require_safe
def openapi_yaml(request: HttpRequest) -> HttpResponse:
    return HttpResponse(rendered_yaml(), content_type="application/yaml")


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    response = render(request, "api_docs.html")
    response.headers["Content-Security-Policy"] = _POLICY
    return response


@cache
def document() -> dict[str, Any]:
    """Made once: it says the same to everyone, and is not cheap to make."""
    made: dict[str, Any] = SchemaGenerator().get_schema(public=True)
    return made


@cache
def rendered_json() -> bytes:
    return OpenApiJsonRenderer().render(document(), renderer_context={})


@cache
def rendered_yaml() -> bytes:
    rendered: bytes = OpenApiYamlRenderer().render(document())
    return rendered
