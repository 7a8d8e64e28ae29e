"""Authentication by API key, scopes, and the sites a key may access."""

from datetime import timedelta
from typing import Any, cast

from django.db.models import Q
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, NotFound
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from analytics.access import attempts, audit, throttling, tokens
from analytics.access.callers import caller, without_nul
from analytics.models import ApiToken, Site
from krafter import faults

# The item of a request's environment that holds the site named in its path.
_SITE = "krafter.site"
# Without this pause, each read with a busy key would be a write.
_LAST_USED_EVERY = timedelta(minutes=1)


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer kr_live_…`. Every failure is the same 401.

    It is 429 for an address that tries too many unknown keys. A usable key is never
    refused, so it is looked up all the same: somebody else may have that address too.
    """

    def authenticate(self, request: Request) -> tuple[None, ApiToken]:
        scheme, _, secret = (
            get_authorization_header(request).decode("latin-1").partition(" ")
        )
        secret = secret.strip()
        if scheme.lower() != "bearer" or not tokens.is_well_formed(secret):
            raise AuthenticationFailed
        site_key = request.parser_context["kwargs"].get("key", "")
        minute = throttling.counted_minute()
        found = caller(
            tokens.digest(secret), site_key, now=timezone.now(), minute=minute
        )
        if found is None:
            attempts.check_unknown_key(request)
            raise AuthenticationFailed
        audit.noted(request, found.token)
        self._note_use(found.token)
        request.META[_SITE] = (site_key, found.site)
        if found.used is not None:
            request.META[throttling.COUNTED] = (minute, found.used)
        return None, found.token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"

    def _note_use(self, token: ApiToken) -> None:
        now = timezone.now()
        stale = now - _LAST_USED_EVERY
        if token.last_used_at is None or token.last_used_at < stale:
            unnoted = Q(last_used_at=None) | Q(last_used_at__lt=stale)
            found = ApiToken.objects.filter(unnoted, pk=token.pk)
            with faults.unwritten():
                found.update(last_used_at=now)


class HasScope(BasePermission):
    """Checks the scope that `required_scopes` of the view names for the action."""

    def has_permission(self, request: Request, view: Any) -> bool:
        # No action: the route does not support the method; DRF answers 405.
        if view.action in (None, "metadata"):
            return True
        return tokens.grants(
            request_token(request).scopes, view.required_scopes[view.action]
        )


def request_token(request: Request) -> ApiToken:
    """The API key of the request."""
    return cast(ApiToken, request.auth)


def site_for(request: Request, site_key: str) -> Site:
    """The site with this public key, if the API key may access it.

    Raises NotFound otherwise: 403 would reveal that the site exists.
    """
    asked, site = request.META.get(_SITE, (None, None))
    if asked != site_key:
        # The request of an MCP tool, which was not authenticated by itself.
        own = Site.objects.visible_to(request_token(request))
        site = own.filter(site_key=without_nul(site_key)).first()
    if site is None or site.site_key != site_key:
        raise NotFound
    return cast(Site, site)
