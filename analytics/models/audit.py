"""The audit trail: what was changed, by whom. Rows are never changed.

Triggers refuse to change a row, and to delete one that is younger than 30 days, the
least that AUDIT_DAYS may be (see `analytics.append_only`).
"""

import uuid

from django.db import models
from django.utils.timezone import now


class AuditEntry(models.Model):
    """One deed. It has no foreign keys, since it outlives what it tells of."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    at = models.DateTimeField(default=now)
    team_id = models.BigIntegerField(
        null=True, help_text="Null for what concerns the whole installation."
    )
    site_key = models.CharField(max_length=15, blank=True)
    actor_type = models.CharField(max_length=8)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_name = models.CharField(max_length=255, blank=True)
    via = models.CharField(max_length=8)
    action = models.CharField(max_length=64)
    subject_id = models.CharField(max_length=64, blank=True)
    subject_name = models.CharField(max_length=255, blank=True)
    # {field: [before, after]}
    changes = models.JSONField(default=dict)
    request_id = models.CharField(max_length=128, blank=True)

    class Meta:
        ordering = ("-at", "-pk")
        verbose_name = "audit entry"
        verbose_name_plural = "audit trail"
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=("team_id", "-at", "-id"), name="audit_of_team"),
            models.Index(fields=("-at", "-id"), name="audit_newest"),
            models.Index(fields=("subject_id", "-at", "-id"), name="audit_of_subject"),
        )

    def __str__(self) -> str:
        return f"{self.action} {self.subject_name}".strip()
