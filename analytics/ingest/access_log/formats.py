"""Detect the format of a log, and read its lines."""

from collections.abc import Callable, Sequence
from datetime import tzinfo
from functools import partial
from typing import NamedTuple

from analytics.ingest.access_log import aws, clf, haproxy, json_lines, w3c
from analytics.ingest.access_log.prefixes import PREFIXES, Strip
from analytics.ingest.access_log.requests import Line, Malformed

# In bytes. Servers cut requests at 8 KiB; three such fields and their escapes fit.
MAX_LINE = 1 << 16

Read = Callable[[str], Line | None]

# By name: a function that makes a reader for one file, given the time zone of times
# without an offset. If a line fits two formats, the one with more fields is used,
# so it comes first.
FORMATS: dict[str, Callable[[tzinfo], Read]] = {
    "traefik": lambda zone: clf.read_traefik,
    "combined": lambda zone: clf.read_combined,
    "common": lambda zone: clf.read_common,
    "vhost-combined": lambda zone: clf.read_vhost_combined,
    "vhost-common": lambda zone: clf.read_vhost_common,
    "caddy": lambda zone: partial(json_lines.read_caddy, zone=zone),
    "traefik-json": lambda zone: partial(json_lines.read_traefik, zone=zone),
    "nginx-json": lambda zone: partial(json_lines.read_nginx, zone=zone),
    "w3c": lambda zone: w3c.Reader(),
    "alb": lambda zone: aws.read_alb,
    "elb": lambda zone: aws.read_elb,
    "s3": lambda zone: aws.read_s3,
    "haproxy": lambda zone: partial(haproxy.read, zone=zone),
}


class Reader(NamedTuple):
    """Reads the lines of one log, from its first line."""

    name: str
    prefix: str
    strip: Strip
    read_line: Read

    def read(self, text: str) -> Line | None:
        """Return the request; None for a line without one. Raises Malformed."""
        text = text.rstrip("\r\n")
        if len(text) >= MAX_LINE:
            raise Malformed(f"{MAX_LINE:,} bytes or longer")
        if "\0" in text:
            raise Malformed("a null character")
        return self.read_line(self.strip(text).rstrip("\r\n"))

    def __str__(self) -> str:
        return f"{self.name} after {self.prefix}" if self.prefix else self.name


def recognise(
    sample: Sequence[str], makers: dict[str, Callable[[tzinfo], Read]], zone: tzinfo
) -> tuple[Reader, int] | None:
    """Return the reader that reads most of a log's first lines, and how many it reads.

    None if no reader reads any. `makers`: the formats to try.
    """
    best: tuple[str, str] | None = None
    most = 0
    for prefix, strip in PREFIXES.items():
        for name, make in makers.items():
            count = _count(sample, Reader(name, prefix, strip(), make(zone)))
            if count > most:
                most, best = count, (prefix, name)
        # Prefixes are tried only if not all lines can be read without one.
        if most == len(sample):
            break
    if best is None:
        return None
    prefix, name = best
    return Reader(name, prefix, PREFIXES[prefix](), makers[name](zone)), most


def _count(sample: Sequence[str], reader: Reader) -> int:
    count = 0
    for text in sample:
        try:
            reader.read(text)
        except Malformed:
            continue
        count += 1
    return count
