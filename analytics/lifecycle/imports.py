"""A stream of `analytics.lifecycle.export` becomes a team's sites.

It is taken in page by page, in the order in which they were told; the hash of a page
is that of all up to its end. A site is hidden until it is whole. Facts come in parts,
each of which is one transaction with the number of those that are in: after a crash
the same page goes on, and a page that is in adds nothing.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TypeVar
from uuid import UUID

import msgspec
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction
from django.utils import timezone
from rest_framework import serializers

from analytics.access import audit
from analytics.events.planner import look_at_tables
from analytics.lifecycle import export, parts
from analytics.lifecycle.imported_sites import SiteLoader
from analytics.lifecycle.parts import Refused
from analytics.models import Import, Site, Team
from krafter import names

# Of a page, and of the longest line. Exports end a page much earlier.
_MAX_PAGE = 256 * 1024 * 1024
_ENDS = (b'{"next"', b'{"end"')
# Lines that are looked at together.
_BATCH = 2_000
# What lines that no export has made lead to.
_WRONG = (
    *(ValueError, TypeError, KeyError, IndexError, OverflowError),
    *(msgspec.MsgspecError, ValidationError, serializers.ValidationError),
    *(DataError, IntegrityError),
)


class OutOfOrder(Refused):
    """Another page is next."""


class Manifest(msgspec.Struct):
    format: str
    version: int
    id: UUID
    team: str
    sites: list[str]


class Head(msgspec.Struct):
    """What another page than the first begins with.

    `site`: the key of one that began before, and `told` the facts of it until then.
    """

    stream: UUID
    number: int
    site: str | None
    told: dict[str, int]


class Ending(msgspec.Struct):
    """Of a page; `counts` at the end of the last."""

    sha256: str
    counts: dict[str, int] = {}


_Line = TypeVar("_Line", Manifest, Head, Ending)


class Page:
    """The lines of a page between its first and its last."""

    def __init__(self, lines: list[bytes]) -> None:
        """Raises Refused for lines that are no page."""
        if len(lines) < 2 or not lines[-1].startswith(_ENDS):
            raise Refused("It has no end: the export was cut off.")
        self._lines = lines[:-1]
        self.is_last = lines[-1].startswith(b'{"end"')
        kind = "end" if self.is_last else "next"
        self._ending = _read(lines[-1], kind, Ending)
        self.manifest: Manifest | None = None
        if lines[0].startswith(b'{"page"'):
            self.head = _read(lines[0], "page", Head)
        else:
            self.manifest = _checked(_read(lines[0], "manifest", Manifest))
            self.head = Head(self.manifest.id, 0, None, {})

    def __len__(self) -> int:
        return len(self._lines)

    def hash_after(self, before: str) -> str:
        """That of all up to its end. Raises Refused where that is not what it says."""
        hashed = hashlib.sha256(bytes.fromhex(before))
        for line in self._lines:
            hashed.update(line)
        if hashed.hexdigest() != self._ending.sha256:
            raise Refused("Its hash is not the one at its end.")
        return hashed.hexdigest()

    def counts_after(self, before: dict[str, int]) -> dict[str, int]:
        """The same of how many lines there were of each kind."""
        counts = Counter(before)
        counts.update(_kind(line) for line in self._lines)
        del counts["page"]
        if self.is_last and self._ending.counts != counts:
            raise Refused("Its counts are not those at its end.")
        return dict(counts)

    def batches(self) -> Iterator[tuple[str, list[Any]]]:
        """The values of lines of one kind that follow each other."""
        kind, values = "", list[Any]()
        for line in self._lines[1:]:
            [(of_line, value)] = msgspec.json.decode(line).items()
            if of_line != kind or len(values) == _BATCH:
                if values:
                    yield kind, values
                kind, values = of_line, []
            values.append(value)
        if values:
            yield kind, values


def _kind(line: bytes) -> str:
    return line[2 : line.find(b'"', 2)].decode(errors="replace")


def _read(line: bytes, kind: str, type: type[_Line]) -> _Line:
    try:
        return msgspec.json.decode(line, type=dict[str, type])[kind]  # type: ignore[valid-type] # a type by its variable
    except (KeyError, msgspec.MsgspecError):
        raise Refused("It is not an export of a team.") from None


def _checked(manifest: Manifest) -> Manifest:
    if manifest.format != export.FORMAT:
        raise Refused("It is not an export of a team.")
    if manifest.version > export.VERSION:
        raise Refused("It was made by a newer version: upgrade first.")
    return manifest


def pages(file: BinaryIO) -> Iterator[Page]:
    """The pages of a file, which may have been joined in any way. Raises Refused."""
    lines: list[bytes] = []
    size = 0
    for line in iter(lambda: file.readline(_MAX_PAGE), b""):
        lines.append(line)
        size += len(line)
        if size > _MAX_PAGE:
            raise Refused("It has a page that is too long.")
        if line.startswith(_ENDS):
            page = Page(lines)
            if page.is_last and file.read(1):
                raise Refused("Something follows its end.")
            yield page
            lines, size = [], 0
            if page.is_last:
                return
    raise Refused("It has no end: the export was cut off.")


def check(file: BinaryIO) -> tuple[Manifest, dict[str, int]]:
    """The manifest and the counts of a file that is whole. Raises Refused."""
    file.seek(0)
    manifest, hashed, counts = None, "", dict[str, int]()
    for number, page in enumerate(pages(file)):
        if page.head.number != number:
            raise Refused(f"Page {number} is missing.")
        manifest = manifest or page.manifest
        hashed, counts = page.hash_after(hashed), page.counts_after(counts)
    if manifest is None:
        raise Refused("It is not an export of a team.")
    return manifest, counts


def team_for(manifest: Manifest, name: str | None) -> Team:
    """The team of that name, or a new one. Raises Refused."""
    if name is not None:
        teams = list(Team.objects.filter(name=name)[:2])
        if len(teams) != 1:
            raise Refused(f"There is not one team called {name!r}, but {len(teams)}.")
        return teams[0]
    begun = Import.objects.select_related("team").filter(stream=manifest.id).first()
    if begun is not None:
        return begun.team
    new = names.as_name(manifest.team)
    if Team.objects.filter(name=new).exists():
        raise Refused(
            f"There is a team called {new!r}. Use --team to add to it, or rename it."
        )
    with transaction.atomic():
        made = Team.objects.create(name=new)
        audit.record("team.created", made, changes=audit.made({"name": new}))
    return made


def load(
    file: BinaryIO,
    *,
    team: str | None = None,
    new_keys: bool = False,
    progress: Callable[[int], object] = lambda lines: None,
) -> list[Site]:
    """Import a whole stream; its sites. Raises Refused."""
    manifest, _ = check(file)
    if not new_keys:
        _refuse_known_keys(manifest)
    target = team_for(manifest, team)
    file.seek(0)
    for page in pages(file):
        source = take(target, page, new_keys=new_keys, with_common=True)
        progress(len(page))
    look_at_tables()
    return [each.site for each in source.sites.order_by("pk")]


def take(
    team: Team, page: Page, *, new_keys: bool = False, with_common: bool = False
) -> Import:
    """Take a page in, if it is the next; one that is in adds nothing.

    `new_keys`, with the first page: give sites whose key exists another one.
    `with_common`: what all teams of the installation share as well. Raises Refused,
    OutOfOrder.
    """
    source = _source(team, page, new_keys)
    if page.head.number < source.pages:
        return source
    if page.head.number > source.pages:
        raise OutOfOrder(f"Page {source.pages} is next.")
    hashed, counts = page.hash_after(source.hash), page.counts_after(source.counts)
    try:
        _take_lines(source, page, with_common)
    except _WRONG as error:
        raise Refused(f"It was made by another version: {error}") from error
    finished_at = timezone.now() if page.is_last else None
    own = Import.objects.filter(pk=source.pk, pages=source.pages)
    own.update(
        pages=source.pages + 1, hash=hashed, counts=counts, finished_at=finished_at
    )
    source.refresh_from_db()
    return source


def _source(team: Team, page: Page, new_keys: bool) -> Import:
    found = Import.objects.filter(team=team, stream=page.head.stream).first()
    if page.manifest is None:
        if found is None:
            raise OutOfOrder("Page 0 is next.")
        return found
    if found is None:
        if not new_keys:
            _refuse_known_keys(page.manifest)
        found, _ = Import.objects.get_or_create(
            team=team, stream=page.head.stream, defaults={"new_keys": new_keys}
        )
    elif found.sites.count() < found.counts.get("site", 0):
        # A site was erased since: it comes once more, and others are left alone.
        found.pages, found.hash, found.counts, found.finished_at = 0, "", {}, None
        found.save()
    return found


def _refuse_known_keys(manifest: Manifest) -> None:
    own = Site.objects.filter(imported__source__stream=manifest.id)
    known = Site.objects.filter(site_key__in=manifest.sites).exclude(pk__in=own)
    if keys := list(known.values_list("site_key", flat=True)):
        raise Refused(
            f"Sites here have the keys {', '.join(keys)}. With new keys (--new-keys,"
            " new_keys=true) the imported ones get others; pages must then send these."
        )


def _take_lines(source: Import, page: Page, with_common: bool) -> None:
    site: SiteLoader | None = None
    if page.head.site is not None:
        site = SiteLoader(source, page.head.site, page.head.told)
    for kind, values in page.batches():
        if kind == "site":
            for value in values:
                site = SiteLoader.begin(source, value)
        elif kind == "site_end" and site is not None:
            site.finish()
            site = None
        elif site is not None:
            site.take(kind, values)
        else:
            part = next((part for part in parts.common if part.kind == kind), None)
            if part is None:
                raise Refused(f"It was made by another version: what is {kind!r}?")
            if with_common:
                part.load(values)
