"""Short-lived rows that housekeeping deletes."""

from django.db import models
from django.db.models.functions import Now
from django.utils.timezone import now


class Salt(models.Model):
    """The random salt of a day's visitor ids, deleted within 48 hours."""

    timezone = models.CharField(max_length=64)
    day = models.DateField()
    value = models.BinaryField(max_length=16)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("timezone", "day"), name="salt_unique"),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.timezone}"


class RateWindow(models.Model):
    """How many requests a caller has made in the current minute."""

    caller = models.CharField(max_length=64, primary_key=True)
    minute = models.BigIntegerField(help_text="Minutes since 1970.")
    used = models.IntegerField()

    class Meta:
        indexes = (models.Index(fields=("minute",), name="rate_window_minute"),)

    def __str__(self) -> str:
        return f"{self.caller} {self.used}"


class IdempotencyKey(models.Model):
    """The answer to a request with an `Idempotency-Key`, kept for 24 hours.

    `id` is a digest of the team, path and key, `request` a digest of the body.
    Digests, because a client may use personal data as a key.
    """

    id = models.CharField(max_length=64, primary_key=True)
    request = models.CharField(max_length=64)
    # Set in the transaction that inserts the row, so no reader sees it without.
    status = models.PositiveSmallIntegerField(default=0)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=bytes)
    created_at = models.DateTimeField(default=now)

    class Meta:
        indexes = (models.Index(fields=("created_at",), name="idempotency_key_age"),)

    def __str__(self) -> str:
        return f"{self.id[:8]} {self.status}"
