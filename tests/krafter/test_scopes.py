"""Which scope opens which route, and that no route is left out."""

import re

import pytest
from django.urls import get_resolver

from analytics.access.tokens import SCOPES
from tests.routes import PRIVATE, ROUTES, labels

pytestmark = pytest.mark.django_db

PLACEHOLDER = re.compile(r"<[^>]*>|\{[^}]*\}")


def routes_of(patterns, prefix="/"):
    """(method or None, path) of each URL pattern; None: a view of any method."""
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from routes_of(pattern.url_patterns, path)
        else:
            actions = getattr(pattern.callback, "actions", None) or [None]
            for method in actions:
                yield method and method.upper(), PLACEHOLDER.sub("{}", path)


def test_every_route_has_a_row():
    rows = {(r.method, PLACEHOLDER.sub("{}", r.url_template)) for r in ROUTES}
    known = rows | {(None, path) for _, path in rows}
    routed = {
        (method, path)
        for method, path in routes_of(get_resolver().url_patterns)
        if path.startswith("/api/") and method != "HEAD"
    }
    assert len(routed) > 10
    assert routed <= known, f"add to tests/routes.py: {routed - known}"


def test_rows_are_one_a_route():
    assert len({route.label for route in ROUTES}) == len(ROUTES)
    assert {route.scope for route in PRIVATE} <= SCOPES.keys()


@pytest.mark.parametrize("route", PRIVATE, ids=labels(PRIVATE))
def test_its_scope_opens_a_route(route, site, ids, client_with):
    # To create or rotate a key a caller must hold what the key will.
    scopes = (
        {route.scope, "analytics:read"} if "token" in route.scope else {route.scope}
    )
    call = client_with(site.team, *scopes)
    response = call(route.method, route.url(**ids), route.body or b"")
    assert response.status_code == route.status, response.content


@pytest.mark.parametrize("route", PRIVATE, ids=labels(PRIVATE))
def test_all_scopes_open_a_route(route, owner, ids):
    response = owner(route.method, route.url(**ids), route.body or b"")
    assert response.status_code == route.status, response.content


@pytest.mark.parametrize("route", PRIVATE, ids=labels(PRIVATE))
def test_every_other_scope_together_does_not(route, site, ids, client_with):
    call = client_with(site.team, *(SCOPES.keys() - {route.scope, "*"}))
    response = call(route.method, route.url(**ids), route.body or b"")
    assert response.status_code == 403
    assert response.json() == {"error": "Insufficient scope"}


@pytest.mark.parametrize("route", PRIVATE, ids=labels(PRIVATE))
def test_no_scope_opens_nothing(route, site, ids, client_with):
    response = client_with(site.team)(route.method, route.url(**ids), route.body or b"")
    assert response.status_code == 403


@pytest.mark.parametrize(
    "route",
    [route for route in PRIVATE if route.method == "GET"],
    ids=lambda route: route.path,
)
def test_head_needs_the_scope_of_get(route, site, ids, client_with):
    allowed = client_with(site.team, route.scope)("HEAD", route.url(**ids))
    refused = client_with(site.team)("HEAD", route.url(**ids))
    assert (allowed.status_code, b"".join(allowed)) == (200, b"")
    assert refused.status_code == 403
