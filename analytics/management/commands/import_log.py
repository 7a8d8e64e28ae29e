"""Import the page views of a web server's access log."""

import gzip
import hashlib
import hmac
import io
import os
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from analytics import events
from analytics.ingest import access_log, pages, payloads, pipeline
from analytics.models import Site

BATCH = 1_000
# Malformed lines whose number and reason are shown.
SHOWN = 5

_GZIP = b"\x1f\x8b"
_BUFFER = 1 << 16
# The common format has no user agent: what nobody wrote down is no crawler's.
_RULES_WITHOUT_AGENT = [rule for rule in pipeline.DROP_RULES if rule[0] != "crawler"]


class Command(BaseCommand):
    help = (
        "Import the page views of an access log in the common or combined format,"
        " plain or gzip. A log that is imported again adds nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="the log; - reads standard input")
        parser.add_argument("--site", required=True, help="the site's key, sk_…")

    def handle(self, *args: Any, **options: Any) -> None:
        site = Site.objects.undeleted().filter(site_key=options["site"]).first()
        if site is None:
            raise CommandError(f"There is no site with the key {options['site']}.")
        self.tally: Counter[str] = Counter()
        self.broken: Exception | None = None
        try:
            with _open(options["file"]) as stream:
                self._store(self._page_views(stream, site))
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}") from None
        self._report()
        if self.broken:
            raise CommandError(f"{options['file']} ends here: {self.broken}")

    def _store(self, page_views: Iterator[events.NewEvent]) -> None:
        while batch := list(islice(page_views, BATCH)):
            stored = sum(events.append(batch))
            self.tally["stored"] += stored
            self.tally["duplicate"] += len(batch) - stored

    def _page_views(self, stream: BinaryIO, site: Site) -> Iterator[events.NewEvent]:
        ids = EventIds()
        now = datetime.now(UTC)
        for number, text in enumerate(self._lines(stream), start=1):
            self.tally["read"] += 1
            try:
                line = _parse(text, now)
            except access_log.Malformed as error:
                self._note_malformed(number, error)
                continue
            reason = access_log.why_no_page(line)
            if reason is None:
                event, reason = _resolve(line, site, ids)
                if event is not None:
                    self.tally["without user agent"] += line.user_agent is None
                    yield event
                    continue
            self.tally[str(reason)] += 1

    def _lines(self, stream: BinaryIO) -> Iterator[str]:
        """The lines up to where the file breaks off, if it does."""
        try:
            yield from access_log.lines(stream)
        except (OSError, EOFError, zlib.error) as error:
            self.broken = error

    def _note_malformed(self, number: int, error: access_log.Malformed) -> None:
        """By number and reason only: the line itself holds an address."""
        self.tally["malformed"] += 1
        if self.tally["malformed"] <= SHOWN:
            with tqdm.external_write_mode():
                self.stderr.write(f"line {number:,}: {error}")

    def _report(self) -> None:
        unnamed = self.tally.pop("without user agent", 0)
        rows = {name: self.tally.pop(name, 0) for name in _ROWS} | self.tally
        for name, count in rows.items():
            self.stdout.write(f"{name.replace('_', ' '):<15}{count:>12,}")
        if unnamed:
            self.stdout.write(
                f"{unnamed:,} page views came without a user agent, which the common"
                " format leaves out: crawlers among them are counted."
            )


# Always shown, in this order; what else dropped a line follows.
_ROWS = (
    *("read", "stored", "duplicate", "malformed", "not GET", "status"),
    *("asset", "feed", "too long", "crawler"),
)


class EventIds:
    """Names each request, so that one already stored is known again.

    The same request can stand in a log twice, so equal ones are numbered. Two
    visitors may make equal requests in one second; 16 bits of a hash of address
    and user agent tell which is which, also where they stand in the logs of
    different servers, or in a log that has grown since. 16 bits only: tens of
    thousands of addresses share them, so that the id leads back to none. Keyed,
    so that without the installation's secret it does not even link two days.
    """

    # Equal requests carry the same second, so that only recent ones matter.
    _MAX_REMEMBERED = 100_000

    def __init__(self) -> None:
        self._key = settings.SECRET_KEY.encode()
        self._recent: dict[str, int] = {}
        self._older: dict[str, int] = {}

    def next(self, line: access_log.Line) -> str:
        visitor = f"{line.address}\0{line.user_agent}".encode()
        who = hashlib.sha256(visitor).digest()[:2]
        message = line.identity.encode() + who
        name = hmac.digest(self._key, message, "sha256").hex()[:32]
        seen = self._recent.get(name) or self._older.get(name, 0)
        if len(self._recent) >= self._MAX_REMEMBERED:
            self._older, self._recent = self._recent, {}
        self._recent[name] = seen + 1
        return f"{name}-{seen}" if seen else name


def _parse(text: str, now: datetime) -> access_log.Line:
    line = access_log.parse(text)
    if line.at.year < payloads.EARLIEST_YEAR or line.at > now + payloads.MAX_AHEAD:
        raise access_log.Malformed("a time before 1990 or in the future")
    return line


def _resolve(
    line: access_log.Line, site: Site, ids: EventIds
) -> tuple[events.NewEvent | None, str | None]:
    """The page view, or None and the rule of the site that dropped it."""
    # Cut, or the rules would drop it as too long: the path ends before, and of
    # a referrer only the host counts.
    url = line.target[: payloads.MAX_URL]
    hit = pipeline.Hit(
        sent=payloads.TrackedEvent(
            type="pageview",
            site=site.site_key,
            url=url,
            referrer=line.referrer[: payloads.MAX_URL],
            id=ids.next(line),
        ),
        site=site,
        page=pages.parse(url),
        address=line.address,
        user_agent=line.user_agent or "",
        environ={},
    )
    rules = pipeline.DROP_RULES if line.user_agent is not None else _RULES_WITHOUT_AGENT
    return pipeline.resolve(hit, at=line.at, rules=rules)


@contextmanager
def _open(name: str) -> Iterator[BinaryIO]:
    """A log's bytes, unpacked, with a progress bar over those that are read."""
    with ExitStack() as stack:
        source = cast(io.BufferedReader, sys.stdin.buffer)
        total = None
        if name != "-":
            source = stack.enter_context(open(name, "rb"))
            total = os.fstat(source.fileno()).st_size or None
        bar = stack.enter_context(
            tqdm(total=total, unit="B", unit_scale=True, disable=None)
        )
        packed = io.BufferedReader(_Counted(source, bar), _BUFFER)
        if packed.peek(len(_GZIP))[: len(_GZIP)] == _GZIP:
            yield io.BufferedReader(gzip.GzipFile(fileobj=packed), _BUFFER)
        else:
            yield packed


class _Counted(io.RawIOBase):
    """Tells a progress bar how many bytes were read."""

    def __init__(self, source: io.BufferedReader, bar: "tqdm[Any]") -> None:
        self._source = source
        self._bar = bar

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._source.read1(len(buffer))
        buffer[: len(data)] = data
        self._bar.update(len(data))
        return len(data)
