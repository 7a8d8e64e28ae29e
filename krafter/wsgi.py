"""The WSGI application: Django, and beneath it the one path that cannot wait."""

import os
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "krafter.settings")
_django = get_wsgi_application()

from analytics import housekeeping  # noqa: E402 - need Django set up
from analytics.ingest import collect, country  # noqa: E402 - need Django set up

# Otherwise the first request would wait for it.
country.table()
housekeeping.start()

_STATUS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


def application(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    if environ["PATH_INFO"] != collect.PATH:
        return _django(environ, start_response)
    answer = collect.respond(environ, environ["wsgi.input"].read)
    start_response(
        _STATUS[answer.status],
        [*answer.headers.items(), ("Content-Length", str(len(answer.body)))],
    )
    return [answer.body]
