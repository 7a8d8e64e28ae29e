"""The sites that a signed-in user can see, and the site in the address of a page."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from rest_framework.exceptions import NotFound

from analytics.access import roles
from analytics.access.roles import Deed
from analytics.models import SiteQuerySet
from analytics.questions.long_questions import take_place
from goals.pages.asked import with_changes
from krafter.parsing import uuid_or_404

_View = Callable[..., HttpResponseBase]
_Row = TypeVar("_Row", bound=Model)


def person(request: HttpRequest) -> User:
    return cast(User, request.user)


def sites_of(user: User) -> SiteQuerySet:
    """Return the undeleted sites of the user's teams; for an operator, all sites."""
    return roles.sites(user).undeleted()


def site_page(deed: Deed = Deed.READ) -> Callable[[_View], _View]:
    """Decorate a view of one site, whose key is in the address.

    A site of another team is answered with 404, an action that the user's role does not
    allow with 403. A signed-out user is sent to the sign-in page.
    """

    def of_site(view: _View) -> _View:
        @login_required
        @wraps(view)
        def found(request: HttpRequest, key: str, **rest: Any) -> HttpResponseBase:
            site = roles.site_for(person(request), key, deed)
            if request.method == "GET" and "" in request.GET.values():
                # Ignore empty fields of a form.
                return redirect(request.path + with_changes(request, {}))
            take_place(request, view, request.GET, site.team_id)
            return view(request, site, **rest)

        return cast(_View, found)

    return of_site


def row_of(rows: QuerySet[_Row], id: str) -> _Row:
    """Return the row with the id in the address. Raises Http404."""
    try:
        found = rows.filter(pk=uuid_or_404(id)).first()
    except NotFound:
        found = None
    if found is None:
        raise Http404
    return found
