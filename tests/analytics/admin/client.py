"""Who works in the admin in the tests, and its addresses."""

from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from analytics.models import ApiToken, Role, Team

CONFIRMED = {"confirmed": "yes"}


def superuser() -> Client:
    """The browser of one who may do everything."""
    return _browser(User.objects.create_superuser("operator"))


def member(*memberships: tuple[Team, Role]) -> Client:
    """The browser of one of the staff, with these roles."""
    user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
    for team, role in memberships:
        team.memberships.create(user=user, role=role)
    return _browser(user)


def _browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def url(model: str, page: str, *args: Any) -> str:
    app = {"goal": "goals", "user": "auth"}.get(model, "analytics")
    return reverse(f"admin:{app}_{model}_{page}", args=args)


def key_of(team: Team, **values: Any) -> ApiToken:
    values = {"name": "robot", "scopes": ["analytics:read"], **values}
    return ApiToken.issue(team=team, **values)[0]


def errors(response: Any) -> dict[str, list[str]]:
    """The errors of the form that came back."""
    assert response.status_code == 200
    found: dict[str, list[str]] = response.context["adminform"].form.errors
    return found
