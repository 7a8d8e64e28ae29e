"""Counts derived from events, and the versions that invalidate them."""

from django.db import models

from analytics.models.configuration import Site
from analytics.models.of_one_site import OfOneSite


class LateDay(OfOneSite):
    """The version of a day: how often it changed after it had ended everywhere."""

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


class SiteDay(OfOneSite):
    """Cached traffic of a site on a closed day.

    Valid while `version` equals the version of the day (see
    `analytics.events.day_versions`).
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
