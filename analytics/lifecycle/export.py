"""A team's sites with all their data, as one stream of lines (see docs/data.md).

Each line is a JSON object with one key, the kind of the line. Every few megabytes a
line has the current position. From there the stream can be resumed, in another process
or response: the exported part is still correct, since events never change. If some
events were deleted meanwhile, the stream cannot be resumed and raises Changed.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import msgspec
from django.core import signing

from analytics.lifecycle import parts, sections
from analytics.lifecycle.sections import Moment, Sections
from analytics.models import Team
from krafter import clock

FORMAT = "krafter-team"
VERSION = 1
NOTES = [
    "The salts of visitor ids are not exported. A visitor who visits a site both"
    " before and after the move on the same day is counted as two visitors.",
    "API keys, members and the audit trail are not exported.",
    "Deleted sites are not exported. Deleted goals are exported.",
]
# A page ends with the line that makes it at least this many bytes.
PAGE_BYTES = 4 * 1024 * 1024

_encode = msgspec.json.Encoder(decimal_format="number").encode


class Changed(Exception):
    """The stream cannot be resumed: start a new export."""


class Place(msgspec.Struct):
    """The position where a page begins: the state of the export before it.

    `sites` is a digest of the keys of the sites in the stream, `done` how many of them
    are complete. `told` counts the events and refunds exported of the current site.
    """

    stream: str
    sites: str
    page: int = 0
    hash: str = ""
    counts: dict[str, int] = {}
    done: int = 0
    moment: Moment | None = None
    told: dict[str, int] = {}
    section: int = 0
    after: sections.Key = None

    def written(self) -> str:
        return _signer().sign(urlsafe_b64encode(_encode(self)).decode())

    @classmethod
    def read(cls, text: str) -> "Place":
        """Read a position. Raises ValueError if this installation did not sign it."""
        try:
            signed = urlsafe_b64decode(_signer().unsign(text).encode())
            return msgspec.json.decode(signed, type=cls)
        except (signing.BadSignature, ValueError, msgspec.MsgspecError):
            raise ValueError("Not a position in an export.") from None


def _signer() -> signing.Signer:
    return signing.Signer(salt="krafter.export")


class Stream:
    """The rest of a team's export, from a position on. Raises Changed."""

    def __init__(self, team: Team, place: Place | None = None) -> None:
        self._team = team
        self._sites = list(team.sites.undeleted())
        keys = " ".join(site.site_key for site in self._sites)
        digest = hashlib.sha256(keys.encode()).hexdigest()[:16]
        self.place = place or Place(stream=str(uuid4()), sites=digest)
        self.counts = Counter(self.place.counts)
        self.hash = self.place.hash
        self.is_complete = False
        if digest != self.place.sites:
            raise Changed("The team's sites have changed since the export began.")
        self._sections: Sections | None = None
        self._check()

    def page(self) -> Iterator[bytes]:
        """Yield the lines of the next page, in JSON with a line end. Raises Changed."""
        place, size = self.place, 0
        hashed = hashlib.sha256(bytes.fromhex(place.hash))
        head = ("page", self._head()) if place.page else ("manifest", self._manifest())
        # No cursor of the database stays open after a page. The garbage collector
        # would close it while another statement of the connection runs, which
        # blocks forever.
        with closing(self._values()) as values:
            for kind, value in chain([head], values):
                line = _encode({kind: value}) + b"\n"
                hashed.update(line)
                if kind != "page":
                    self.counts[kind] += 1
                size += len(line)
                yield line
                if size >= PAGE_BYTES:
                    self._check()
                    place.page += 1
                    place.hash = self.hash = hashed.hexdigest()
                    place.counts = dict(self.counts)
                    then = {"cursor": place.written(), "sha256": place.hash}
                    yield _encode({"next": then}) + b"\n"
                    return
        self.is_complete = True
        self.hash = hashed.hexdigest()
        yield _encode({"end": {"counts": self.counts, "sha256": self.hash}}) + b"\n"

    def _check(self) -> None:
        """Raise Changed if events that were to be exported have been deleted."""
        place = self.place
        if place.moment is None:
            return
        site = self._sites[place.done]
        if not place.moment.still_stands(site.pk):
            raise Changed(
                f"Since the export began, days of {site.site_key} were sealed or"
                " unsealed, or some of its events were erased."
            )

    def _manifest(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": VERSION,
            "id": self.place.stream,
            "made_at": clock.now().isoformat(timespec="seconds"),
            "team": self._team.name,
            "sites": [site.site_key for site in self._sites],
            "notes": NOTES,
        }

    def _head(self) -> dict[str, Any]:
        """Return the first line of every page but the first."""
        place = self.place
        return {
            "stream": place.stream,
            "number": place.page,
            "site": place.moment and self._sites[place.done].site_key,
            "told": place.told,
        }

    def _values(self) -> Generator[tuple[str, Any], None, None]:
        """Yield (kind, value).

        `self.place` is the position after the value yielded last.
        """
        place = self.place
        for site in self._sites[place.done :]:
            if place.moment is None:
                place.moment, first = sections.begin(site)
                yield "site", first
            if self._sections is None:
                self._sections = Sections(site, place.moment)
            for section in self._sections.all[place.section :]:
                begun = place.after
                for place.after, kind, value in section(begun):
                    if kind in ("event", "refund"):
                        place.told[kind] = place.told.get(kind, 0) + 1
                    yield kind, value
                place.section, place.after = place.section + 1, None
            self._check()
            self._sections = None
            place.moment, place.told, place.section = None, {}, 0
            place.done += 1
            yield "site_end", site.site_key
        yield from self._common()

    def _common(self) -> Iterator[tuple[str, Any]]:
        place = self.place
        days = [day for day in map(sections.first_day, self._sites) if day is not None]
        for part in parts.common[place.section :] if days else ():
            done = place.after if isinstance(place.after, int) else 0
            values = islice(part.dump(min(days)), done, None)
            for place.after, value in enumerate(values, start=done + 1):
                yield part.kind, value
            place.section, place.after = place.section + 1, None


def to_file(
    team: Team, path: Path, *, progress: Callable[[int], object] = lambda lines: None
) -> Stream:
    """Write the stream to a file; an interrupted file is continued. Raises Changed.

    The file is called `….part` until it is complete. `progress` gets numbers of lines.
    """
    part = path.with_name(f"{path.name}.part")
    with part.open("ab+") as file:
        place, length = _last_place(file)
        file.truncate(length)
        file.seek(length)
        stream = Stream(team, place)
        progress(stream.counts.total())
        while not stream.is_complete:
            for line in stream.page():
                file.write(line)
                progress(1)
            file.flush()
    part.replace(path)
    return stream


def _last_place(file: BinaryIO) -> tuple[Place | None, int]:
    """Return the position after the last complete page, and the bytes before it."""
    file.seek(0)
    place, length, size = None, 0, 0
    for line in file:
        size += len(line)
        if line.startswith(b'{"next"') and line.endswith(b"\n"):
            place, length = msgspec.json.decode(line)["next"]["cursor"], size
    try:
        return place and Place.read(place), length
    except ValueError as error:
        raise Changed(str(error)) from None
