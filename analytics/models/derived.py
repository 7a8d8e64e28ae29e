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


class NameMonth(KeptMonth):
    """Which closed days of a month are counted as NameDay; its days hold versions."""

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("site", "month"), name="name_month_unique"),
        )


class NameDay(OfOneSite):
    """Cached: how often a name was sent on a closed day, and by how many visitors.

    Rows and not packed as the others: lists of names are sorted and searched by the
    database. Valid as far as NameMonth says.
    """

    site_id = models.BigIntegerField()
    day = models.DateField()
    name_id = models.BigIntegerField()
    events = models.BigIntegerField()
    visitors = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("site_id", "day", "name_id"), name="name_day_unique"
            ),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.name_id} {self.events}"


class LabelMonth(KeptMonth):
    """Cached counts by the values of a label: of all events, or those of a rule.

    They depend on the settings of the site as well (`analytics.sources`).
    """

    rule = models.BinaryField(
        max_length=16, help_text="The digest of a rule; empty for all events."
    )
    attribution = models.CharField(max_length=5)
    label = models.CharField(max_length=32, help_text="Or two, with a comma between.")
    settings = models.BinaryField(max_length=16, help_text="Their digest.")
    total = models.BinaryField(
        null=True, help_text="The sum of the days; null in rows from before it was."
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("site", "rule", "attribution", "label", "month"),
                name="label_month_unique",
            ),
        )


class SiteMonth(KeptMonth):
    """Cached traffic of a site."""

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("site", "month"), name="site_month_unique"),
        )
