"""Parts of a page: separate pages that a script loads into another page."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def part(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """Render the part alone for a script, otherwise with a page around it."""
    alone = request.headers.get("X-Part") == "1"
    context["frame"] = "pages/part_alone.html" if alone else "pages/part_page.html"
    response = render(request, template, context)
    response.headers["Vary"] = "X-Part"
    return response
