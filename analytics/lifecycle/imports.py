"""Import a stream of `analytics.lifecycle.export` as sites of a team.

Pages are imported one by one, in the order of the export; the hash of a page covers
everything up to its end. A site is hidden until it is complete. Events are stored in
parts, each in one transaction with the number of events stored so far. So a page can be
continued after a crash, and a page that was already imported adds nothing.
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

# The maximum bytes of a page and of a line. Exports end a page much earlier.
_MAX_PAGE = 256 * 1024 * 1024
_ENDS = (b'{"next"', b'{"end"')
# Lines that are processed together.
_BATCH = 2_000
# Errors caused by lines that no export of this version has written.
_WRONG = (
    *(ValueError, TypeError, KeyError, IndexError, OverflowError),
    *(msgspec.MsgspecError, ValidationError, serializers.ValidationError),
    *(DataError, IntegrityError),
)


class OutOfOrder(Refused):
    """The page is not the next one."""


class Manifest(msgspec.Struct):
    format: str
    version: int
    id: UUID
    team: str
    sites: list[str]


class Head(msgspec.Struct):
    """The first line of every page but the first.

    `site`: the key of a site that began on an earlier page; `told`: the numbers of its
    events and refunds up to then.
    """

    stream: UUID
    number: int
    site: str | None
    told: dict[str, int]


class Ending(msgspec.Struct):
    """The last line of a page. `counts` is set only on the last page."""

    sha256: str
    counts: dict[str, int] = {}


_Line = TypeVar("_Line", Manifest, Head, Ending)


class Page:
    """The lines of a page."""

    def __init__(self, lines: list[bytes]) -> None:
        """Raises Refused if the lines are not a complete page."""
        if len(lines) < 2 or not lines[-1].startswith(_ENDS):
            raise Refused("The export has no end line. It was cut off.")
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
        """Return the hash of everything up to the end of the page.

        `before`: the hash up to its start. Raises Refused if the page states another
        hash.
        """
        hashed = hashlib.sha256(bytes.fromhex(before))
        for line in self._lines:
            hashed.update(line)
        if hashed.hexdigest() != self._ending.sha256:
            raise Refused("The hash of the export does not match its end line.")
        return hashed.hexdigest()

    def counts_after(self, before: dict[str, int]) -> dict[str, int]:
        """Return the number of lines of each kind up to the end of the page.

        Raises Refused if the last page states other numbers.
        """
        counts = Counter(before)
        counts.update(_kind(line) for line in self._lines)
        del counts["page"]
        if self.is_last and self._ending.counts != counts:
            raise Refused("The counts of the export do not match its end line.")
        return dict(counts)

    def batches(self) -> Iterator[tuple[str, list[Any]]]:
        """Yield (kind, values) for consecutive lines of one kind."""
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
        raise Refused("This is not an export of a team.") from None


def _checked(manifest: Manifest) -> Manifest:
    if manifest.format != export.FORMAT:
        raise Refused("This is not an export of a team.")
    if manifest.version > export.VERSION:
        raise Refused(
            "The export was made by a newer version. Upgrade this installation first."
        )
    return manifest


def pages(file: BinaryIO) -> Iterator[Page]:
    """Yield the pages of a file. Raises Refused.

    The file may be made of answers of the API, concatenated in any way.
    """
    lines: list[bytes] = []
    size = 0
    for line in iter(lambda: file.readline(_MAX_PAGE), b""):
        lines.append(line)
        size += len(line)
        if size > _MAX_PAGE:
            raise Refused("A page of the export is too long.")
        if line.startswith(_ENDS):
            page = Page(lines)
            if page.is_last and file.read(1):
                raise Refused("The export has data after its end line.")
            yield page
            lines, size = [], 0
            if page.is_last:
                return
    raise Refused("The export has no end line. It was cut off.")


def check(file: BinaryIO) -> tuple[Manifest, dict[str, int]]:
    """Check a file; return its manifest and its numbers of lines by kind.

    Raises Refused if it is incomplete or damaged.
    """
    file.seek(0)
    manifest, hashed, counts = None, "", dict[str, int]()
    for number, page in enumerate(pages(file)):
        if page.head.number != number:
            raise Refused(f"Page {number} is missing.")
        manifest = manifest or page.manifest
        hashed, counts = page.hash_after(hashed), page.counts_after(counts)
    if manifest is None:
        raise Refused("This is not an export of a team.")
    return manifest, counts


def team_for(manifest: Manifest, name: str | None) -> Team:
    """Return the team with this name; without a name, the team of the manifest.

    The latter is created unless the import has begun. Raises Refused.
    """
    if name is not None:
        teams = list(Team.objects.filter(name=name)[:2])
        if len(teams) != 1:
            raise Refused(
                f"{len(teams)} teams are called {name!r}. Exactly one is needed."
            )
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
    """Import a complete stream; return its sites. Raises Refused.

    `progress` gets numbers of lines.
    """
    manifest, _ = check(file)
    if not new_keys:
        of_team = {} if team is None else {"team__name": team}
        _refuse_known_keys(manifest, **of_team)
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
    """Import a page if it is the next one; an earlier one adds nothing.

    `new_keys`, used with the first page: give new keys to sites whose key exists here.
    `with_common`: also import data that all teams of the installation share.

    Raises Refused, and OutOfOrder if pages before it are missing.
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
        raise Refused(f"The export was made by another version: {error}") from error
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
    if found is not None and found.sites.count() >= found.counts.get("site", 0):
        return found
    new_keys = new_keys or (found is not None and found.new_keys)
    if not new_keys:
        _refuse_known_keys(page.manifest, team=team)
    if found is None:
        found, _ = Import.objects.get_or_create(
            team=team, stream=page.head.stream, defaults={"new_keys": new_keys}
        )
    else:
        # A site was erased since the import. It is imported again; the others stay.
        found.pages, found.hash, found.counts, found.finished_at = 0, "", {}, None
        found.new_keys = new_keys
        found.save()
    return found


def _refuse_known_keys(manifest: Manifest, **of_team: Any) -> None:
    """Raise Refused if keys exist, except in what the team has of this stream."""
    own = Site.objects.filter(imported__source__stream=manifest.id, **of_team)
    known = Site.objects.filter(site_key__in=manifest.sites).exclude(pk__in=own)
    if keys := list(known.values_list("site_key", flat=True)):
        raise Refused(
            f"Sites with the keys {', '.join(keys)} already exist. Use --new-keys or"
            " new_keys=true to give the imported sites new keys, which their pages must"
            " then use."
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
                raise Refused(
                    "The export was made by another version: it has lines of the"
                    f" unknown kind {kind!r}."
                )
            if with_common:
                part.load(values)
