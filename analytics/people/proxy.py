"""Sign-in by a proxy that authenticates users: SIGN_IN_HEADER, off by default."""

from collections.abc import Callable

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from analytics.access.callers import without_nul
from analytics.ingest import client_address
from krafter.rendering import API_PREFIX

# Marks a session that lasts only as long as the proxy names its user.
_BY_PROXY = "signed_in_by_proxy"


class ProxySignInMiddleware:
    """Trusts the header only if the peer of the connection is a trusted proxy.

    Users are not created: an unknown name is not signed in. No second factor is
    requested, because the proxy is responsible for authentication.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.SIGN_IN_HEADER and not request.path_info.startswith(API_PREFIX):
            _follow(request, _named(request))
        return self.get_response(request)


def is_by_proxy(request: HttpRequest) -> bool:
    return bool(request.session.get(_BY_PROXY, False))


def _named(request: HttpRequest) -> str:
    if not client_address.is_trusted(request.META.get("REMOTE_ADDR", "")):
        return ""
    return without_nul(request.headers.get(settings.SIGN_IN_HEADER, "").strip())


def _follow(request: HttpRequest, name: str) -> None:
    if not name:
        if is_by_proxy(request):
            auth.logout(request)
        return
    if request.user.is_authenticated and request.user.get_username() == name:
        return
    if is_by_proxy(request):
        auth.logout(request)
    user = User.objects.filter(username=name, is_active=True).first()
    if user is not None:
        auth.login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
        request.session[_BY_PROXY] = True
