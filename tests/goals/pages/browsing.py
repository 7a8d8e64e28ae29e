"""Who looks at the pages in the tests."""

import re

from django.contrib.auth.models import User
from django.test import Client

from analytics.models import Role, Team

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def member(team: Team, name: str = "member", role: Role = Role.VIEWER) -> Client:
    """The browser of a member of the team."""
    user = User.objects.create_user(name)
    team.memberships.create(user=user, role=role)
    return browser_of(user)


def text(response: object) -> str:
    """What a page shows, its white space as single spaces."""
    content: bytes = response.content  # type: ignore[attr-defined]
    return re.sub(r"[ \n]+", " ", content.decode())
