"""Read the lines of a log: unpacked, of limited length, and followed while it grows."""

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
# Seconds between two checks of a followed file.
INTERVAL = 1.0

# By the first bytes, whatever the file is called.
_UNPACKERS = (
    (b"\x1f\x8b", lambda packed: gzip.GzipFile(fileobj=packed)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\0", lzma.LZMAFile),
    (b"\x28\xb5\x2f\xfd", zstd.ZstdFile),
)
_LONGEST = max(len(magic) for magic, _ in _UNPACKERS)

# Errors raised when reading a damaged archive.
BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zstd.ZstdError)


def unpacked(stream: io.RawIOBase) -> BinaryIO:
    """Return a log's bytes, from any of the archive formats, or plain."""
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
    """Yield the lines of a log, with one character per byte.

    So decoding cannot fail. A line that is too long is cut: a file without line ends
    must not fill the memory.
    """
    for raw in iter(partial(stream.readline, MAX_LINE), b""):
        yield raw.decode("latin-1")
        while len(raw) == MAX_LINE and not raw.endswith(b"\n"):
            raw = stream.readline(MAX_LINE)


def follow(path: str) -> Iterator[str | None]:
    """Yield the lines of a plain file from its start, then those written to it later.

    Yields None when there are no more lines for now: the caller then does deferred
    work, and the next step waits. Ends when another file has the name or the file was
    emptied, after the remaining lines of the old one.
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
                # The writer may have continued after the file was renamed.
                if rest := stream.readline(MAX_LINE):
                    waiting += rest
                    continue
                break
            yield None
            sleep(INTERVAL)
        if waiting and not is_cut:
            yield waiting.decode("latin-1")


def _is_over(path: str, stream: BinaryIO) -> bool:
    """Return whether a file was rotated away or emptied."""
    own = os.fstat(stream.fileno())
    try:
        named = os.stat(path)
    except FileNotFoundError:
        # The old file is gone and the new one does not exist yet.
        return False
    return (named.st_dev, named.st_ino) != (own.st_dev, own.st_ino) or (
        own.st_size < stream.tell()
    )
