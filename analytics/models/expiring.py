"""Short-lived rows that housekeeping deletes."""

from django.db import models
from django.utils.timezone import now


class SiteSalt(models.Model):
    """The random salt of a site's visitor ids on one of its days.

    It may be used until `ends_at`, and is destroyed within the hour that follows
    (see `analytics.ingest.salts`). The table is unlogged on PostgreSQL.
    """

    site_id = models.BigIntegerField()
    day = models.DateField(help_text="The calendar day of the site.")
    value = models.BinaryField(max_length=16)
    # With the salt, so that another setting holds from the site's next day on.
    ipv6_prefix = models.PositiveSmallIntegerField()
    ends_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("site_id", "day"), name="site_salt_unique"),
        )

    def __str__(self) -> str:
        return f"{self.site_id} {self.day}"


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
