"""Session expiry: after a time without requests, and after a maximum time.

The first is the expiry date of Django's session row. It is updated at most once a
minute, so that page views rarely write.
"""

import uuid
from collections.abc import Callable

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.models import User
from django.db import models
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from analytics.ingest import user_agents
from analytics.models import BrowserSession
from analytics.people.session_store import ABOUT
from krafter.rendering import API_PREFIX

_MOVED_EVERY_SECONDS = 60


class SessionEndsMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # The API has no sessions, and a lookup would cost time in each request.
        if request.path_info.startswith(API_PREFIX):
            return self.get_response(request)
        if auth.SESSION_KEY in request.session:
            _go_on(request)
        response = self.get_response(request)
        if auth.SESSION_KEY in request.session and ABOUT not in request.session:
            _begin(request)
        return response


def of(user: User) -> models.QuerySet[BrowserSession]:
    """Return the sessions that have not expired, most recently used first."""
    found = BrowserSession.objects.filter(user=user, expire_date__gt=timezone.now())
    return found.order_by("-seen_at", "pk")


def purge() -> int:
    """Delete expired sessions; return their number."""
    ended = BrowserSession.objects.filter(expire_date__lte=timezone.now())
    return ended.delete()[0]


def _begin(request: HttpRequest) -> None:
    agent = user_agents.parse(request.headers.get("User-Agent", ""))
    now = int(timezone.now().timestamp())
    request.session[ABOUT] = {
        "uuid": str(uuid.uuid4()),
        "browser": ", ".join(filter(None, (agent.browser, agent.os))),
        "begun": now,
        "seen": now,
    }
    request.session.set_expiry(min(_idle(), _longest()))


def _go_on(request: HttpRequest) -> None:
    about = request.session.get(ABOUT)
    if about is None:
        # A user who was just signed in by a test or a proxy.
        return
    now = int(timezone.now().timestamp())
    left = about["begun"] + _longest() - now
    if left <= 0 or now - about["seen"] >= _idle():
        auth.logout(request)
    elif now - about["seen"] >= _MOVED_EVERY_SECONDS:
        request.session[ABOUT] = {**about, "seen": now}
        request.session.set_expiry(min(_idle(), left))


def _idle() -> int:
    return int(settings.SESSION_IDLE_HOURS * 3600)


def _longest() -> int:
    return int(settings.SESSION_HOURS * 3600)
