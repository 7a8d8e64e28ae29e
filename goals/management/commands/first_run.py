"""Create what `make run` needs before it serves, and print the first steps."""

import json
import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction
from django.utils import timezone

from analytics.access import audit, keys
from analytics.models import ApiToken, Site, Team
from goals.demo import live
from krafter import env, installation

KEY_NAME = "First run"
_NEW_KEY = f"{installation.COMMAND} create_token --name laptop --scopes '*'"


class Command(BaseCommand):
    help = (
        "Make an admin user, the demo site and an API key where there are none yet,"
        " and say how to begin. Secrets are shown once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--secrets",
            metavar="FILE",
            help="write password and key there as JSON, and print neither",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            self.stdout.write(
                "PRODUCTION is set: no demo, no user and no key were made."
                " See createsuperuser and create_token."
            )
            return
        password = _make_admin()
        self._fill_demo()
        secret = _make_key()
        if path := options["secrets"]:
            made = {"user": "admin", "password": password, "api_key": secret}
            _write(Path(path), json.dumps(made) + "\n")
            self.stdout.write(f"Password and API key were written to {path}.")
            return
        self._show(_kept(password), secret)

    def _fill_demo(self) -> None:
        """Create the demo, unless its owner has deleted it."""
        site = Site.objects.filter(site_key=live.SITE_KEY).first()
        if site is None or site.deleted_at is None:
            call_command("demo", stdout=self.stdout)
            # So the first page shows visits and conversions of today, at any hour.
            live.add(Site.objects.get(site_key=live.SITE_KEY), timezone.now())

    def _show(self, password: Path | None, secret: str | None) -> None:
        base = f"http://127.0.0.1:{env.integer('PORT', 8000)}"
        admin = f"as admin, password in {password}" if password else ""
        lines = [
            "",
            f"  Pages     {base}/  {admin}",
            f"  Admin     {base}/admin/",
            f"  API       {base}/api/v1/docs",
            f"  Guide     {base}/docs/",
            f"  API key   {secret} (shown once, ends in a year)"
            if secret
            else f"  API key   {_key()}",
            "",
            *_curl(f"{base}/api/v1/analytics", secret or "YOUR_API_TOKEN"),
            "",
        ]
        self.stdout.write("\n".join(line.rstrip() for line in lines))


def _make_admin() -> str | None:
    """Create an administrator and return the password.

    None if there is an administrator already.
    """
    users = get_user_model().objects
    if users.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    with transaction.atomic():
        audit.record("user.created", users.create_superuser("admin", password=password))
    return password


def _kept(password: str | None) -> Path | None:
    """Write the password to a file and return its path.

    It is not printed, because printed text stays in logs.
    """
    if password is None:
        return None
    path = Path(settings.DATA_DIR) / "admin_password"
    _write(path, password + "\n")
    return path


def _write(path: Path, text: str) -> None:
    """Write a file that only its owner may read, from its creation on."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def _make_key() -> str | None:
    """Create an API key and return its secret; None if there was ever a key."""
    if ApiToken.objects.exists():
        return None
    with transaction.atomic():
        _, secret = keys.issue(
            team=Team.default(),
            name=KEY_NAME,
            scopes=["*"],
            expires_at=timezone.now() + timedelta(days=365),
        )
    return secret


def _key() -> str:
    """Describe the key in use, if there is one, and how to make another."""
    usable = ApiToken.objects.usable(timezone.now())
    token = usable.filter(name=KEY_NAME).first() or usable.first()
    return f"{token or 'none is in use'}; a new one:\n            {_NEW_KEY}"


def _curl(api: str, secret: str) -> list[str]:
    """Return example commands to paste; none if the demo site was deleted."""
    site = Site.objects.undeleted().filter(site_key=live.SITE_KEY).first()
    if site is None:
        return []
    goals = f"{api}/sites/{site.site_key}/goals"
    goal = site.goals.undeleted().first()
    lines = [f'  curl {goals} -H "Authorization: Bearer {secret}"']
    if goal is not None:
        stats = f"{goals}/{goal.pk}/stats?period=30d"
        lines.append(f'  curl "{stats}" -H "Authorization: Bearer {secret}"')
    return lines
