"""Parts of a page: pages of their own, which a script loads into another."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def part(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """The part alone for a script, and for people a page around it."""
    alone = request.headers.get("X-Part") == "1"
    context["frame"] = "pages/part_alone.html" if alone else "pages/part_page.html"
    response = render(request, template, context)
    response.headers["Vary"] = "X-Part"
    return response
