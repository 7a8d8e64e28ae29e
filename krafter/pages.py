"""Middleware and error pages that all pages for people share."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views import defaults
from django.views.decorators.http import require_safe

from krafter import locales, metrics
from krafter.caching import revalidated
from krafter.errors import Invalid, Unavailable
from krafter.rendering import API_PREFIX

# Nothing inline, nothing from elsewhere, nothing that frames a page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
# Unfold's scripts need more (see docs/decisions.md).
_ADMIN = "/admin"


class PagesMiddleware:
    """Gives pages their policy and their locale, and compresses them.

    A page may contain a CSRF token. Django masks it differently in each response, so
    that the length of a compressed page reveals nothing about it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith((API_PREFIX, _ADMIN)):
            return self.get_response(request)
        with locales.of(request):
            response = self.get_response(request)
        content_type = response.headers.get("Content-Type", "")
        if not isinstance(response, HttpResponse) or not content_type.startswith(
            "text/html"
        ):
            return response
        response.headers.setdefault("Content-Security-Policy", POLICY)
        # Figures change and people sign out: it is asked for anew each time.
        response.headers.setdefault("Cache-Control", "private, no-cache")
        patch_vary_headers(response, ("Cookie", "Accept-Language"))
        return revalidated(request, response)

    def process_exception(
        self, request: HttpRequest, error: Exception
    ) -> HttpResponse | None:
        """Return a page for errors that the API answers with 422 and 503."""
        match error:
            case Invalid(details=details):
                return render(request, "422.html", {"details": details}, status=422)
            case Unavailable(detail=detail, retry_after=seconds):
                metrics.UNAVAILABLE.labels("busy").inc()
                context = {"reason": detail, "seconds": max(seconds, 3)}
                response = render(request, "503.html", context, status=503)
                response.headers["Retry-After"] = str(seconds)
                # Django would log it as a failure.
                setattr(response, "_has_been_logged", True)  # noqa: B010
                return response
        return None


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's `handler404`. Only browsers get a page."""
    if request.path_info.startswith(API_PREFIX):
        return HttpResponseNotFound()
    return defaults.page_not_found(request, exception)


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    """Exclude all pages from search engines."""
    return HttpResponse("User-agent: *\nDisallow: /\n", content_type="text/plain")
