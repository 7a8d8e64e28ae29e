"""The documentation at /docs, built by `make docs` or with the wheel."""

import mimetypes

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from krafter import installation
from krafter.caching import revalidated
from krafter.static_files import FOR_A_YEAR


@require_safe
def documentation(request: HttpRequest, name: str) -> HttpResponseBase:
    """Return one of its files. 404 for any other file, and if it has not been built."""
    folder = installation.DOCUMENTATION
    files = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file()
    }
    path = files.get(name)
    if path is None:
        raise Http404
    content_type = mimetypes.guess_type(path.name)[0] or "text/plain"
    if content_type.startswith("text/"):
        content_type += "; charset=utf-8"
    response = HttpResponse(path.read_bytes(), content_type=content_type)
    if content_type.startswith("text/html"):
        # `krafter.pages` sets the headers that all pages have.
        return response
    # Sphinx names styles and scripts with a checksum of their content.
    is_kept = "v" in request.GET
    response.headers["Cache-Control"] = FOR_A_YEAR if is_kept else "no-cache"
    return revalidated(request, response)
