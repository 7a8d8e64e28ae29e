"""Import the page views of a web server's access logs."""

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, tzinfo
from typing import Any, BinaryIO, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from analytics import events, time_zones
from analytics.access import audit
from analytics.ingest import salts
from analytics.ingest.access_log import reading
from analytics.ingest.access_log.formats import FORMATS, Read
from analytics.ingest.access_log.patterns import BadPattern, compile_pattern
from analytics.ingest.log_import import DryRun, Import, Refused, Run
from analytics.models import Site

# These rows are always shown, in this order. Other drop rules follow.
_ROWS = (
    *("duplicate", "malformed", "not GET", "status"),
    *("asset", "feed", "too long", "crawler"),
)


class Command(BaseCommand):
    help = (
        "Import the page views of access logs, plain or packed by gzip, bzip2, xz or"
        " zstd. A log that is imported again adds nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", metavar="file", help="- is stdin")
        parser.add_argument("--site", required=True, help="the site's key, sk_…")
        parser.add_argument(
            "--format",
            choices=["auto", *FORMATS],
            default="auto",
            help="of the logs; by default told by their first lines",
        )
        parser.add_argument(
            "--pattern", help="a format in the words of Apache's LogFormat"
        )
        parser.add_argument(
            "--timezone",
            type=_zone,
            default=UTC,
            help="of times without an offset, as Europe/Berlin; UTC if left out",
        )
        parser.add_argument(
            "--max-malformed",
            type=_percent,
            default=50,
            metavar="PERCENT",
            help="a log with more malformed lines fails; 50 if left out",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="store nothing, show what would be"
        )
        parser.add_argument(
            "--follow",
            action="store_true",
            help="go on with what is written to the last file, until it is stopped",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        site = Site.objects.undeleted().filter(site_key=options["site"]).first()
        if site is None:
            raise CommandError(f"There is no site with the key {options['site']}.")
        self.errors: list[str] = []
        run = (DryRun if options["dry_run"] else Import)(
            site,
            makers=_makers(options["format"], options["pattern"]),
            zone=options["timezone"],
            max_malformed=options["max_malformed"] / 100,
            say=self._say,
        )
        *files, last = options["files"]
        self.has_several = bool(files)
        try:
            with _stopped_by_sigterm(), salts.borrowing():
                for name in files:
                    self._take(run, name)
                (self._follow if options["follow"] else self._take)(run, last)
        except KeyboardInterrupt:
            run.flush()
            if not options["follow"]:
                self.errors.append("Stopped before the end.")
        self._report(run)
        if self.errors:
            raise CommandError("\n".join(self.errors))

    def _take(self, run: Run, name: str) -> None:
        """Import one log. Errors are collected in `self.errors`, raised at the end."""
        try:
            with _open(name) as stream:
                self._take_lines(run, name, reading.lines(stream))
        except OSError as error:
            self.errors.append(f"{name}: {error.strerror or error}")

    def _follow(self, run: Run, name: str) -> None:
        try:
            if name == "-" or reading.is_packed(name):
                self.errors.append(f"{name}: only a plain file can be followed.")
            # Each iteration reads one file of that name (logs are rotated).
            while not self.errors:
                self._take_lines(run, name, reading.follow(name))
        except OSError as error:
            self.errors.append(f"{name}: {error.strerror or error}")

    def _take_lines(self, run: Run, name: str, lines: Iterator[str | None]) -> None:
        def until_broken() -> Iterator[str | None]:
            try:
                yield from lines
            except reading.BROKEN as error:
                self.errors.append(f"{name} ends here: {error}")

        def say_format(log_format: str) -> None:
            self.stdout.write(f"{name}: {log_format}")

        try:
            where = f"{name}, " if self.has_several else ""
            run.take(until_broken(), say_format=say_format, where=where)
        except Refused as error:
            self.errors.append(f"{name}: {error}.")

    def _say(self, sentence: str) -> None:
        with tqdm.external_write_mode():
            self.stderr.write(sentence)

    def _report(self, run: Run) -> None:
        if not isinstance(run, DryRun):
            events.look_at_tables()
            stored = {"page_views": [0, run.tally[run.kept]]}
            audit.record("log.imported", run.site, changes=stored)
        rows = {name: run.tally.pop(name, 0) for name in ("read", run.kept, *_ROWS)}
        for name, count in (rows | run.tally).items():
            self.stdout.write(f"{name.replace('_', ' '):<15}{count:>12,}")
        for reason, count in run.malformed.most_common():
            self.stdout.write(f"{count:,} malformed: {reason}")
        if run.unnamed:
            self.stdout.write(
                f"{run.unnamed:,} page views came without a user agent, which their"
                " format leaves out: crawlers among them are counted."
            )
        if isinstance(run, DryRun):
            self._show(run)

    def _show(self, run: DryRun) -> None:
        self.stdout.write("\nNothing was stored. The first page views:")
        for page_view in run.page_views:
            self.stdout.write(f"  {page_view}")
        for reason, lines in run.lines.items():
            self.stdout.write(f"\n{reason.replace('_', ' ')}:")
            for line in lines:
                self.stdout.write(f"  {line}")


def _zone(text: str) -> tzinfo:
    try:
        return time_zones.zone(text)
    except ValueError:
        raise CommandError(f"--timezone: there is no zone {text}.") from None


def _percent(text: str) -> float:
    try:
        percent = float(text)
    except ValueError:
        percent = -1
    if not 0 <= percent <= 100:
        raise CommandError("--max-malformed takes a number from 0 to 100.")
    return percent


def _makers(name: str, pattern: str | None) -> dict[str, Callable[[tzinfo], Read]]:
    """Return what makes the reader of each format to try, by name."""
    if pattern is not None:
        if name != "auto":
            raise CommandError("Give --format or --pattern, not both.")
        try:
            compile_pattern(pattern, UTC)
        except BadPattern as error:
            raise CommandError(str(error)) from None
        return {"pattern": lambda zone: compile_pattern(pattern, zone)}
    return FORMATS if name == "auto" else {name: FORMATS[name]}


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the command in the same way as Ctrl-C."""
    try:
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    except ValueError:
        # Signals reach only the main thread.
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _open(name: str) -> Iterator[BinaryIO]:
    """Open a log and unpack it, with a progress bar over the bytes read."""
    with ExitStack() as stack:
        source = cast(io.BufferedReader, sys.stdin.buffer)
        total = None
        if name != "-":
            source = stack.enter_context(open(name, "rb"))
            total = os.fstat(source.fileno()).st_size or None
        bar = stack.enter_context(
            tqdm(total=total, unit="B", unit_scale=True, disable=None)
        )
        yield reading.unpacked(_Counted(source, bar))


class _Counted(io.RawIOBase):
    """A raw stream that reports the number of bytes read to a progress bar."""

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
