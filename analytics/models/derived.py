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


class KeptMonth(OfOneSite):
    """Cached counts of the closed days of a month (see `analytics.events.months`).

    All its days are valid while `version` is the sum of the versions of the
    month's days; else each for which its own version still stands.
    """

    site = models.ForeignKey(
        Site, models.DO_NOTHING, db_constraint=False, db_index=False
    )
    month = models.DateField(help_text="Its first day.")
    version = models.BigIntegerField()
    counted = models.IntegerField(help_text="The days counted: a bit each.")
    days = models.BinaryField(
        help_text="Version and numbers of each day that had events."
    )

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.counted:b}"


class SiteMonth(KeptMonth):
    """Cached traffic of a site."""

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("site", "month"), name="site_month_unique"),
        )
