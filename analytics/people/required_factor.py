"""Users who must have a second factor: SECOND_FACTOR, nobody by default.

A user who needs one and has none can only open the page that sets it up.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from analytics.access import roles
from analytics.people import second_factor
from analytics.people.proxy import is_by_proxy
from krafter.rendering import API_PREFIX


class RequiredFactorMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.SECOND_FACTOR != "nobody" and _lacks_it(request):
            return redirect("second_factor")
        return self.get_response(request)


def _lacks_it(request: HttpRequest) -> bool:
    open_to_all = map(reverse, ("second_factor", "logout", "admin:logout"))
    path = request.path_info
    if path.startswith(API_PREFIX) or path in open_to_all:
        return False
    if not request.user.is_authenticated or is_by_proxy(request):
        return False
    if settings.SECOND_FACTOR == "operators" and not roles.is_operator(request.user):
        return False
    return second_factor.of(request.user) is None
