"""The lines of a log: unpacked, bounded, and followed while it grows."""

import bz2
import gzip
import io
import lzma
import os
import sys
import zlib
from collections.abc import Iterator
from functools import partial
from time import sleep
from typing import BinaryIO, cast

from analytics.ingest.access_log.formats import MAX_LINE

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BUFFER = 1 << 16
# How often a file that is followed is looked at for more, in seconds.
INTERVAL = 1.0

# By the first bytes, whatever the name says.
_UNPACKERS = (
    (b"\x1f\x8b", lambda packed: gzip.GzipFile(fileobj=packed)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\0", lzma.LZMAFile),
    (b"\x28\xb5\x2f\xfd", zstd.ZstdFile),
)
_LONGEST = max(len(magic) for magic, _ in _UNPACKERS)

# What reading a broken archive raises.
BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zstd.ZstdError)


def unpacked(stream: io.RawIOBase) -> BinaryIO:
    """A log's bytes, of whichever of the archives it is, or plain."""
    packed = io.BufferedReader(stream, BUFFER)
    head = packed.peek(_LONGEST)
    for magic, unpack in _UNPACKERS:
        if head.startswith(magic):
            return io.BufferedReader(cast(io.RawIOBase, unpack(packed)), BUFFER)
    return packed


def is_packed(path: str) -> bool:
    with open(path, "rb") as stream:
        head = stream.read(_LONGEST)
    return any(head.startswith(magic) for magic, _ in _UNPACKERS)


def lines(stream: BinaryIO) -> Iterator[str]:
    """The lines of a log, one character a byte, so that none fails to decode.

    An over-long line is cut: a file without line ends must not fill the memory.
    """
    for raw in iter(partial(stream.readline, MAX_LINE), b""):
        yield raw.decode("latin-1")
        while len(raw) == MAX_LINE and not raw.endswith(b"\n"):
            raw = stream.readline(MAX_LINE)


def follow(path: str) -> Iterator[str | None]:
    """The lines of a plain file from its start, then those that are written to it.

    None where there is no more for now: the caller does what it has put off, and
    the next step waits. Ends when another file has taken the name, or the file
    was emptied, with what the old one still had.
    """
    with open(path, "rb") as stream:
        waiting = bytearray()
        is_cut = False
        while True:
            if chunk := stream.readline(MAX_LINE):
                waiting += chunk
                if not waiting.endswith(b"\n") and len(waiting) < MAX_LINE:
                    continue
                is_line_end = waiting.endswith(b"\n")
                if not is_cut:
                    yield waiting[:MAX_LINE].decode("latin-1")
                is_cut = not is_line_end
                waiting.clear()
                continue
            if _is_over(path, stream):
                # Its writer may have gone on after the file was renamed.
                if rest := stream.readline(MAX_LINE):
                    waiting += rest
                    continue
                break
            yield None
            sleep(INTERVAL)
        if waiting and not is_cut:
            yield waiting.decode("latin-1")


def _is_over(path: str, stream: BinaryIO) -> bool:
    """Whether a file has been rotated away, or emptied."""
    own = os.fstat(stream.fileno())
    try:
        named = os.stat(path)
    except FileNotFoundError:
        # Between the old file and the new one.
        return False
    return (named.st_dev, named.st_ino) != (own.st_dev, own.st_ino) or (
        own.st_size < stream.tell()
    )
