"""What passes: salts, limits and remembered answers, purged as they age."""

from django.db import models
from django.db.models.functions import Now
from django.utils.timezone import now


class Salt(models.Model):
    """The random part of a day's visitor ids, destroyed within 48 hours."""

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
    """How much of a limit is used in the current minute, one row a caller."""

    caller = models.CharField(max_length=64, primary_key=True)
    minute = models.BigIntegerField(help_text="Minutes since 1970.")
    used = models.IntegerField()

    class Meta:
        indexes = (models.Index(fields=("minute",), name="rate_window_minute"),)

    def __str__(self) -> str:
        return f"{self.caller} {self.used}"


class IdempotencyKey(models.Model):
    """What was answered to a request, for the day in which it may come again.

    Digests stand for the key with its team and path, and for the body sent:
    a client's key may be the number of an order.
    """

    id = models.CharField(max_length=64, primary_key=True)
    request = models.CharField(max_length=64)
    # Set in the transaction that makes the row: nobody sees one without them.
    status = models.PositiveSmallIntegerField(default=0)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=bytes)
    created_at = models.DateTimeField(default=now)

    class Meta:
        indexes = (models.Index(fields=("created_at",), name="idempotency_key_age"),)

    def __str__(self) -> str:
        return f"{self.id[:8]} {self.status}"
