"""What is derived from the facts, and which of it no longer holds."""

from django.db import models

from analytics.models.configuration import Site


class LateDay(models.Model):
    """How often a day of a site was changed after it had ended everywhere."""

    site = models.ForeignKey(
        Site, models.DO_NOTHING, db_constraint=False, db_index=False
    )
    day = models.DateField()
    version = models.IntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("site", "day"), name="late_day_unique"),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.version}"


class SiteDay(models.Model):
    """How much a site was visited on a closed day: a cache, nothing more.

    A row counts while the day's `version` is still what it was when it was made
    (see `analytics.events.day_versions`).
    """

    site = models.ForeignKey(
        Site, models.DO_NOTHING, db_constraint=False, db_index=False
    )
    day = models.DateField()
    version = models.IntegerField()
    pageviews = models.BigIntegerField()
    visitors = models.BigIntegerField()
    visits = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("site", "day"), name="site_day_unique"),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.visits}"
