"""The dictionaries of a site: its distinct names and contexts, by id."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from functools import partial
from typing import Any

from django.db import connection, models, transaction

from analytics.models import Context, EventName, ReservedName
from analytics.questions.labels import Labels

# A site and values of it.
Key = tuple[int, tuple[str, ...]]


class Dimension:
    """A table of each site's distinct values, with a cache of their ids."""

    # Bounded by size, because names of anonymous senders may be long. Emptied when
    # full, which costs one read for each name.
    _MAX_BYTES = 20_000_000
    # Size of an entry without its texts.
    _ENTRY_BYTES = 150

    def __init__(self, rows: models.Manager[Any], fields: Sequence[str]) -> None:
        self._rows = rows
        self._fields = fields
        self._remembered: dict[Key, int] = {}
        self._bytes = 0

    @property
    def remembered(self) -> Mapping[Key, int]:
        """The cached ids; they are committed."""
        return self._remembered

    def known(self, keys: Set[Key]) -> dict[Key, int]:
        """The ids of those (site, values) that exist.

        Call it within the sites' lock.
        """
        found = {key: self._remembered[key] for key in keys if key in self._remembered}
        for site_id, by_digest in _by_site(keys - found.keys()).items():
            rows = self._rows.filter(
                site_id=site_id, digest__in=list(by_digest)
            ).values_list("digest", "pk")
            ids = {(site_id, by_digest[bytes(digest)]): pk for digest, pk in rows}
            self._remember_on_commit(ids)
            found |= ids
        return found

    def made(self, keys: Collection[Key]) -> dict[Key, int]:
        """Insert the (site, values) that `known` did not find, and return their ids.

        Ids of a site are in the given order, because the first spelling is shown.

        Call it within the sites' lock.
        """
        found: dict[Key, int] = {}
        for site_id, by_digest in _by_site(keys).items():
            rows = self._rows.bulk_create(
                self._rows.model(
                    site_id=site_id,
                    digest=digest,
                    **dict(zip(self._fields, values, strict=True)),
                )
                for digest, values in by_digest.items()
            )
            ids = {(site_id, by_digest[row.digest]): row.pk for row in rows}
            self._remember_on_commit(ids)
            found |= ids
        return found

    def _remember_on_commit(self, ids: dict[Key, int]) -> None:
        # Only committed ids may be cached.
        if ids:
            transaction.on_commit(partial(self._remember, ids))

    def _remember(self, ids: dict[Key, int]) -> None:
        size = sum(
            self._ENTRY_BYTES + sum(len(text.encode()) for text in values)
            for _, values in ids
        )
        if self._bytes + size > self._MAX_BYTES:
            self.forget()
        self._remembered |= ids
        self._bytes += size

    def forget(self) -> None:
        self._remembered.clear()
        self._bytes = 0


NAMES = Dimension(EventName.objects, ("type", "name"))
CONTEXTS = Dimension(Context.objects, Labels._fields)


def _by_site(keys: Iterable[Key]) -> dict[int, dict[bytes, tuple[str, ...]]]:
    """The values of each site by their digests."""
    found: dict[int, dict[bytes, tuple[str, ...]]] = defaultdict(dict)
    for site_id, values in keys:
        found[site_id][digest_of(values)] = values
    return found


# The number of labels of a context in the first version.
_FIRST_LABELS = 8


def digest_of(values: tuple[str, ...]) -> bytes:
    """The digest of a (type, name) or of labels, by which they are looked up."""
    # Labels added later are part of the digest only if they have a value, so that
    # contexts without them keep their digests and rows.
    while len(values) > _FIRST_LABELS and not values[-1]:
        values = values[:-1]
    return hashlib.blake2b("\0".join(values).encode(), digest_size=16).digest()


def reserve(site_id: int, wanted: Collection[tuple[str, str]]) -> None:
    """Reserve these (type, name): the limit of new names does not apply to them."""
    ReservedName.objects.bulk_create(
        (
            ReservedName(site_id=site_id, digest=digest)
            for digest in sorted(map(digest_of, wanted))
        ),
        ignore_conflicts=True,
    )


def reserved(keys: set[Key]) -> set[Key]:
    """Those of the (site, (type, name)) that are reserved."""
    found: set[Key] = set()
    for site_id, by_digest in _by_site(keys).items():
        rows = ReservedName.objects.filter(
            site_id=site_id, digest__in=list(by_digest)
        ).values_list("digest", flat=True)
        found |= {(site_id, by_digest[bytes(digest)]) for digest in rows}
    return found


def forget() -> None:
    """Clear the cached ids."""
    NAMES.forget()
    CONTEXTS.forget()


def names(
    site_id: int, type: str, *, after: int = 0, limit: int
) -> list[tuple[int, str]]:
    """The oldest (id, name) of that type that the site has sent.

    `after`: only those with a higher id, which are newer.
    """
    with connection.cursor() as cursor:
        # Django would take longer to compile it than the database to run it.
        cursor.execute(_NAMES_SQL, [site_id, str(type), after, limit])
        found: list[tuple[int, str]] = cursor.fetchall()
    return found


_NAMES_SQL = (
    f"SELECT id, name FROM {EventName._meta.db_table}"  # noqa: S608 - a constant
    " WHERE site_id = %s AND type = %s AND id > %s ORDER BY id LIMIT %s"
)


def last_name_id(site_id: int) -> int:
    """The id of the newest of the site's names, 0 without any."""
    names = EventName.objects.filter(site_id=site_id)
    return names.aggregate(last=models.Max("id"))["last"] or 0


def named(
    site_id: int, wanted: Collection[tuple[str, str]]
) -> list[tuple[int, str, str]]:
    """The (id, type, name) of those of the wanted (type, name) that were sent.

    Uses the index of their digests.
    """
    digests = [digest_of(key) for key in wanted]
    rows = EventName.objects.filter(site_id=site_id, digest__in=digests)
    return list(rows.values_list("pk", "type", "name"))
