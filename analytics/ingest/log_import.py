"""Stores the page views of an access log as events of a site, or shows them (dry run).

A line that does not exactly fit the log's format is malformed, and a log with too
many malformed lines is refused.
"""

import hashlib
import hmac
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from itertools import chain
from typing import Any

from django.conf import settings

from analytics import events
from analytics.ingest import pages, payloads, pipeline, shapes
from analytics.ingest.access_log.formats import Read, Reader, recognise
from analytics.ingest.access_log.masking import masked
from analytics.ingest.access_log.page_views import why_no_page
from analytics.ingest.access_log.requests import Line, Malformed
from analytics.models import Site

BATCH = 1_000
# How many lines are read to detect the format.
SAMPLE = 100
# How many malformed lines are reported by number and reason, and how many page views
# and lines of each reason a dry run shows.
SHOWN = 5
SHOWN_OF_EACH = 3

_BYTE_ORDER_MARK = "\xef\xbb\xbf"
# Some formats have no user agent; their lines are not dropped as a crawler's.
_RULES_WITHOUT_AGENT = [rule for rule in pipeline.DROP_RULES if rule[0] != "crawler"]


class Refused(Exception):
    """A log that cannot be read, or with too many malformed lines."""


class EventIds:
    """Gives each request an id, so that a stored one is recognised.

    A log can contain the same request twice, so equal ones are numbered. Two
    visitors may make equal requests in one second; 16 bits of a hash of address
    and user agent distinguish them, also in the logs of different servers and in a
    log that has grown. With 16 bits, tens of thousands of addresses share a value,
    so the id identifies no address. The hash is keyed: without the installation's
    secret, values of two days cannot be linked.
    """

    # Equal requests have the same second, so only recent ones have to be remembered.
    MAX_REMEMBERED = 100_000

    def __init__(self) -> None:
        self._key = settings.DATA_KEY.encode()
        self._recent: dict[str, int] = {}
        self._older: dict[str, int] = {}

    def next(self, line: Line) -> str:
        visitor = f"{line.address}\0{line.user_agent}".encode()
        who = hashlib.sha256(visitor).digest()[:2]
        message = line.identity.encode() + who
        name = hmac.digest(self._key, message, "sha256").hex()[:32]
        seen = self._recent.get(name) or self._older.get(name, 0)
        if len(self._recent) >= self.MAX_REMEMBERED:
            self._older, self._recent = self._recent, {}
        self._recent[name] = seen + 1
        return f"{name}-{seen}" if seen else name


class Run(ABC):
    """Reads logs of a site; subclasses store or show the page views.

    `tally` counts the lines by outcome: `read` is the sum of the others.
    `malformed` counts by reason, `unnamed` the page views without a user agent.
    `say` is called with sentences, which contain no address.
    """

    # The outcome of a new page view that no rule drops.
    kept: str

    def __init__(
        self,
        site: Site,
        *,
        makers: Mapping[str, Callable[[tzinfo], Read]],
        zone: tzinfo,
        max_malformed: float,
        say: Callable[[str], None],
    ) -> None:
        self.site = site
        self.tally: Counter[str] = Counter()
        self.malformed: Counter[str] = Counter()
        self.unnamed = 0
        self._makers = dict(makers)
        self._zone = zone
        self._max_malformed = max_malformed
        self._say = say
        self._waiting: list[Any] = []
        self._where = ""

    @abstractmethod
    def resolve(
        self, hit: pipeline.Hit, at: datetime, rules: pipeline.Rules
    ) -> tuple[Any, str | None]:
        """The event of a page view, or None and the rule that drops it."""

    @abstractmethod
    def keep(self, batch: list[Any]) -> list[bool]:
        """Whether each event that `resolve` returned was new."""

    @abstractmethod
    def note(self, reason: str, where: str, text: str) -> None:
        """A line that is no page view; its text may hold an address."""

    def take(
        self,
        lines: Iterator[str | None],
        *,
        say_format: Callable[[str], None],
        where: str = "",
    ) -> None:
        """Go through one log. Raises Refused.

        None among the lines means that there is no more for now. `where` goes
        before the numbers of lines.
        """
        self._where = where
        sample, rest = self._sample(lines)
        if not sample:
            return
        found = recognise(sample, self._makers, self._zone)
        if found is None:
            self._refuse(sample, None)
            raise Refused(
                f"none of its first {len(sample):,} lines is in a format that is known."
                " Name one with --format, or describe it with --pattern"
            )
        reader, readable = found
        say_format(str(reader))
        if rest is None and self._are_too_many(len(sample) - readable, of=len(sample)):
            self._refuse(sample, reader)
            raise Refused(_too_many(len(sample) - readable, of=len(sample)))
        number, malformed, ids = 0, -self.tally["malformed"], EventIds()
        for text in chain(sample, rest or ()):
            if text is None:
                self.flush()
                continue
            number += 1
            if line := self._read(reader, number, text):
                self._take_line(line, number, ids)
        self.flush()
        malformed += self.tally["malformed"]
        if self._are_too_many(malformed, of=number):
            raise Refused(_too_many(malformed, of=number))

    def flush(self) -> None:
        """Store the page views that wait for a full batch."""
        if self._waiting:
            is_new = self.keep(self._waiting)
            self.tally[self.kept] += sum(is_new)
            self.tally["duplicate"] += len(is_new) - sum(is_new)
            self._waiting = []

    def _sample(
        self, lines: Iterator[str | None]
    ) -> tuple[list[str], Iterator[str | None] | None]:
        """The lines that the format is detected by, and the rest of the log.

        None follows a log that ends with them, which can be judged as a whole.
        """
        sample: list[str] = []
        for text in lines:
            if text is not None:
                sample.append(text if sample else text.removeprefix(_BYTE_ORDER_MARK))
                if len(sample) == SAMPLE:
                    return sample, lines
            elif recognise(sample, self._makers, self._zone):
                # No more lines for now: store what has been read.
                return sample, chain([None], lines)
        return sample, None

    def _are_too_many(self, malformed: int, *, of: int) -> bool:
        return malformed > of * self._max_malformed

    def _refuse(self, sample: list[str], reader: Reader | None) -> None:
        """Count the lines of a log of which nothing is stored."""
        for number, text in enumerate(sample, start=1):
            if reader is None:
                self.tally["read"] += 1
                self._note_malformed("in no format that is known", number, text)
            elif self._read(reader, number, text):
                self.tally["refused"] += 1

    def _read(self, reader: Reader, number: int, text: str) -> Line | None:
        self.tally["read"] += 1
        try:
            line = reader.read(text)
            if line is None:
                self.tally["no request"] += 1
            elif (
                line.at.year < payloads.EARLIEST_YEAR
                or line.at > datetime.now(UTC) + payloads.MAX_AHEAD
            ):
                raise Malformed("a time before 1990 or in the future")
        except Malformed as error:
            self._note_malformed(str(error), number, text)
            return None
        return line

    def _note_malformed(self, reason: str, number: int, text: str) -> None:
        self.tally["malformed"] += 1
        self.malformed[reason] += 1
        if self.tally["malformed"] <= SHOWN:
            # By number and reason only: the line itself contains an address.
            self._say(f"{self._where}line {number:,}: {reason}")
        self.note(f"malformed: {reason}", f"{self._where}line {number:,}", text)

    def _take_line(self, line: Line, number: int, ids: EventIds) -> None:
        reason = why_no_page(line)
        if reason is None:
            is_named = line.user_agent is not None
            rules = pipeline.DROP_RULES if is_named else _RULES_WITHOUT_AGENT
            item, reason = self.resolve(self._hit(line, ids), line.at, rules)
            if reason is None:
                self.unnamed += not is_named
                self._waiting.append(item)
                if len(self._waiting) == BATCH:
                    self.flush()
                return
        self.tally[reason] += 1
        request = f"{line.method} {line.url} {line.status}"
        self.note(reason, f"{self._where}line {number:,}", request)

    def _hit(self, line: Line, ids: EventIds) -> pipeline.Hit:
        # Cut, or the rules would drop it as too long: the path ends before, and of
        # a referrer only the host counts.
        url = line.url[: shapes.MAX_URL]
        return pipeline.Hit(
            sent=shapes.TrackedEvent(
                type="pageview",
                site=self.site.site_key,
                url=url,
                referrer=line.referrer[: shapes.MAX_URL],
                id=ids.next(line),
            ),
            site=self.site,
            page=pages.parse(url),
            address=line.address,
            user_agent=line.user_agent or "",
            environ={},
        )


def _too_many(malformed: int, *, of: int) -> str:
    return (
        f"{malformed:,} of {of:,} lines are malformed, more than is allowed."
        " --max-malformed 100 imports what can be read"
    )


class Import(Run):
    """Stores the page views."""

    kept = "stored"

    def resolve(
        self, hit: pipeline.Hit, at: datetime, rules: pipeline.Rules
    ) -> tuple[events.NewEvent | None, str | None]:
        return pipeline.resolve(hit, at=at, rules=rules)

    def keep(self, batch: list[events.NewEvent]) -> list[bool]:
        return events.append(batch)

    def note(self, reason: str, where: str, text: str) -> None:
        """Their numbers are enough."""


class DryRun(Run):
    """Stores nothing, not even a salt, and collects a few examples.

    `page_views` are the first ones as they would be stored, `lines` the first of
    each reason with their numbers, without addresses.
    """

    kept = "to store"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.page_views: list[str] = []
        self.lines: defaultdict[str, list[str]] = defaultdict(list)
        # As many ids as `EventIds` remembers: two logs may have the same lines.
        self._seen: dict[str, None] = {}

    def resolve(
        self, hit: pipeline.Hit, at: datetime, rules: pipeline.Rules
    ) -> tuple[str | None, str | None]:
        if reason := pipeline.dropped_by(hit, rules) or pipeline.sealed(hit, at=at):
            return None, reason
        if len(self.page_views) < SHOWN:
            labels = " ".join(filter(None, pipeline.labels(hit)))
            self.page_views.append(f"{at:%Y-%m-%dT%H:%M:%SZ} {hit.page.path} {labels}")
        return hit.sent.id, None

    def keep(self, batch: list[str]) -> list[bool]:
        known = events.known_ids(self.site.pk, batch)
        is_new = [id not in known and id not in self._seen for id in batch]
        self._seen |= dict.fromkeys(batch)
        while len(self._seen) > EventIds.MAX_REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return is_new

    def note(self, reason: str, where: str, text: str) -> None:
        shown = self.lines[reason]
        if len(shown) < SHOWN_OF_EACH:
            shown.append(f"{where}: {masked(text)}")
