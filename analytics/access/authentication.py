"""Authentication by API key, scopes, and the sites a key may access."""

from datetime import timedelta
from typing import Any, cast

from django.db.models import Q
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, NotFound
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from analytics.access import tokens
from analytics.models import ApiToken, Site

# So that a busy key does not turn every read into a write.
_LAST_USED_EVERY = timedelta(minutes=1)


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer kr_live_…`. Every failure is the same 401."""

    def authenticate(self, request: Request) -> tuple[None, ApiToken]:
        scheme, _, secret = (
            get_authorization_header(request).decode("latin-1").partition(" ")
        )
        secret = secret.strip()
        if scheme.lower() != "bearer" or not tokens.is_well_formed(secret):
            raise AuthenticationFailed
        now = timezone.now()
        found = ApiToken.objects.usable(now).select_related("team")
        token = found.filter(digest=tokens.digest(secret)).first()
        if token is None:
            raise AuthenticationFailed
        self._note_use(token)
        return None, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"

    def _note_use(self, token: ApiToken) -> None:
        now = timezone.now()
        stale = now - _LAST_USED_EVERY
        if token.last_used_at is None or token.last_used_at < stale:
            unnoted = Q(last_used_at=None) | Q(last_used_at__lt=stale)
            ApiToken.objects.filter(unnoted, pk=token.pk).update(last_used_at=now)


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
    # PostgreSQL raises an error for NUL characters; no site key has one.
    if "\0" in site_key:
        raise NotFound
    site = (
        Site.objects.visible_to(request_token(request))
        .filter(site_key=site_key)
        .first()
    )
    if site is None:
        raise NotFound
    return site
