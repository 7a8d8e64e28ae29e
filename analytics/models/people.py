"""Who has signed in where, and who may join a team. Rows are short-lived."""

import uuid
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils.timezone import now

from analytics.models.configuration import Role, Team


class BrowserSession(AbstractBaseSession):
    """A browser that has signed in: Django's session, with what its owner is shown.

    All columns but the key and the end are copies of what `session_data` holds.
    """

    # Names the session on pages: the key itself opens it.
    # Not unique: for a moment a session has two keys, when it gets a new one.
    uuid = models.UUIDField(null=True, db_index=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        related_name="browser_sessions",
    )
    browser = models.CharField(max_length=140, blank=True)
    begun_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)

    class Meta(AbstractBaseSession.Meta):
        db_table = "analytics_session"

    @classmethod
    def get_session_store_class(cls) -> Any:
        # By its name: this package knows none above it.
        return import_module(settings.SESSION_ENGINE).SessionStore


class Invitation(models.Model):
    """A link by which one person may join a team, once. Only its digest is stored."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    team = models.ForeignKey(Team, models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=6, choices=Role)
    # Whom it is for, in the words of who invites: a name or an address.
    note = models.CharField(max_length=255, blank=True)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.role} {self.note}".strip()


class SecondFactor(models.Model):
    """What a user's authenticator app is told by: see `people.second_factor`.

    The app's secret is not here: it is derived from the seed with DATA_KEY.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="second_factor"
    )
    seed = models.CharField(max_length=40)
    # The step of time of the last accepted code: none before it is accepted again.
    last_step = models.BigIntegerField()
    failures = models.PositiveIntegerField(default=0)
    paused_until = models.BigIntegerField(default=0, help_text="Seconds since 1970.")
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return str(self.user)


class RecoveryCode(models.Model):
    """A code that stands in for the app, once: then its row is deleted."""

    factor = models.ForeignKey(
        SecondFactor, models.CASCADE, related_name="recovery_codes"
    )
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("factor", "digest"), name="recovery_code_unique"
            ),
        )

    def __str__(self) -> str:
        return self.digest[:8]
