"""Tables whose rows each belong to one site, and are distributed by it.

On several machines, the rows of a site are on one of them (see docs/scaling.md). So
on PostgreSQL every unique key of these tables contains the site, the primary key
too, and they have no foreign key constraints.
"""

from typing import Any, ClassVar, TypeVar

from django.db import models
from django.db.models import ForeignKey
from django.db.models.sql.where import WhereNode


class OfOneSite(models.Model):
    """A table of facts, of their dictionaries, or of what is derived from them.

    Django's primary key is `id`; its sequence makes it unique over all sites. The
    primary key on PostgreSQL is `key`, made by a migration with
    `analytics.primary_keys`.
    """

    key: ClassVar[tuple[str, ...]] = ("site_id", "id")

    class Meta:
        abstract = True


_Set = TypeVar("_Set")
_Get = TypeVar("_Get")


class SameSiteForeignKey(ForeignKey[_Set, _Get]):
    """A reference to a row of the same site: joins compare the sites too.

    So a condition on the site of one table holds for the other, and the row is found
    by a primary key that begins with the site. There is no constraint and no index.
    """

    def __init__(self, to: type[models.Model], **options: Any) -> None:
        # Given again where Django clones the field.
        options |= {"db_constraint": False, "db_index": False}
        options["on_delete"] = models.DO_NOTHING
        super().__init__(to, **options)

    def get_extra_restriction(self, alias: str | None, related_alias: str) -> Any:
        theirs: Any = self.related_model._meta.get_field("site")
        ours: Any = self.model._meta.get_field("site")
        exact = theirs.get_lookup("exact")
        same = exact(theirs.get_col(alias), ours.get_col(related_alias))
        return WhereNode([same])

    def get_extra_descriptor_filter(self, instance: models.Model) -> dict[str, Any]:
        return {"site_id": instance.site_id}  # type: ignore[attr-defined]

    def deconstruct(self) -> Any:
        """As a ForeignKey: its column is the same, and migrations do not join."""
        name, _, args, options = super().deconstruct()
        return name, "django.db.models.ForeignKey", args, options
