"""Reads lines of one format, as the import does."""

from collections.abc import Sequence
from datetime import UTC, tzinfo

from analytics.ingest.access_log.formats import FORMATS, Reader, recognise
from analytics.ingest.access_log.requests import Line, Malformed


def reader(name: str, zone: tzinfo = UTC) -> Reader:
    return Reader(name, "", str, FORMATS[name](zone))


def read(name: str, text: str, zone: tzinfo = UTC) -> Line:
    """The request in a line. Raises Malformed."""
    return read_by(reader(name, zone), text)


def is_malformed(name: str, text: str) -> bool:
    try:
        reader(name).read(text)
    except Malformed:
        return True
    return False


def recognised(lines: Sequence[str]) -> tuple[Reader, int]:
    """The reader of a log, and how many of its lines it reads."""
    found = recognise(lines, FORMATS, UTC)
    assert found is not None
    return found


def read_by(reader: Reader, text: str) -> Line:
    line = reader.read(text)
    assert line is not None
    return line
