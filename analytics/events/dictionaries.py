"""The dictionaries of a site: its distinct names and contexts, by id."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Any, cast

from django.db import models, transaction

from analytics.models import Context, EventName
from analytics.questions.labels import Labels

# A site and values of it.
Key = tuple[int, tuple[str, ...]]


class Dimension:
    """A table of distinct values of each site, and a memory of their ids."""

    # About 200 bytes an entry; emptied when full, which costs one read each.
    _MAX_REMEMBERED = 100_000

    def __init__(self, rows: models.Manager[Any], fields: Sequence[str]) -> None:
        self._rows = rows
        self._fields = fields
        self._remembered: dict[Key, int] = {}

    def remembered(self, keys: Iterable[Key]) -> dict[Key, int] | None:
        """The id of each, if all are known here: they are committed, for good."""
        found = {key: self._remembered.get(key) for key in keys}
        return None if None in found.values() else cast(dict[Key, int], found)

    def ids(self, keys: set[Key]) -> dict[Key, int]:
        """The id of each (site, values), made where there is none.

        Call it within the sites' lock.
        """
        found = {key: self._remembered[key] for key in keys if key in self._remembered}
        missing: dict[int, dict[bytes, tuple[str, ...]]] = defaultdict(dict)
        for site_id, values in keys - found.keys():
            missing[site_id][_digest(values)] = values
        for site_id, by_digest in missing.items():
            looked_up = self._look_up_or_make(site_id, by_digest)
            found |= looked_up
            # Only what is committed may be remembered.
            transaction.on_commit(partial(self._remember, looked_up))
        return found

    def _look_up_or_make(
        self, site_id: int, by_digest: dict[bytes, tuple[str, ...]]
    ) -> dict[Key, int]:
        rows = self._rows.filter(
            site_id=site_id, digest__in=list(by_digest)
        ).values_list("digest", "pk")
        ids = {bytes(digest): pk for digest, pk in rows}
        made = self._rows.bulk_create(
            self._rows.model(
                site_id=site_id,
                digest=digest,
                **dict(zip(self._fields, values, strict=True)),
            )
            for digest, values in by_digest.items()
            if digest not in ids
        )
        ids |= {row.digest: row.pk for row in made}
        return {(site_id, values): ids[digest] for digest, values in by_digest.items()}

    def _remember(self, ids: dict[Key, int]) -> None:
        if len(self._remembered) + len(ids) > self._MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered |= ids

    def forget(self) -> None:
        self._remembered.clear()


NAMES = Dimension(EventName.objects, ("type", "name"))
CONTEXTS = Dimension(Context.objects, Labels._fields)


def _digest(values: tuple[str, ...]) -> bytes:
    return hashlib.blake2b("\0".join(values).encode(), digest_size=16).digest()


def forget() -> None:
    """Drop the remembered ids."""
    NAMES.forget()
    CONTEXTS.forget()


def names(
    site_id: int, type: str, *, after: int = 0, limit: int
) -> list[tuple[int, str]]:
    """The oldest (id, name) of that type that the site has sent.

    `after`: only those with a higher id, which are newer.
    """
    found = EventName.objects.filter(site_id=site_id, type=type, pk__gt=after)
    return list(found.order_by("pk").values_list("pk", "name")[:limit])


def last_name_id(site_id: int) -> int:
    """The id of the newest of the site's names, 0 without any."""
    names = EventName.objects.filter(site_id=site_id)
    return names.aggregate(last=models.Max("id"))["last"] or 0


def named(
    site_id: int, wanted: Collection[tuple[str, str]]
) -> list[tuple[int, str, str]]:
    """The (id, type, name) of those of the wanted (type, name) that were sent.

    By the index of their digests.
    """
    digests = [_digest(key) for key in wanted]
    rows = EventName.objects.filter(site_id=site_id, digest__in=digests)
    return list(rows.values_list("pk", "type", "name"))
