"""Unnamed files for the parts of responses that clients have not taken yet.

So the thread and the database connection that produce a response are free as soon as
it is produced, however slowly the client reads. The disk space of all responses
together is bounded.
"""

import os
import tempfile
import threading
from typing import IO, NamedTuple

from krafter.front.http import Gone


class Disk:
    """The disk space for all files together, in bytes."""

    def __init__(self, most: int) -> None:
        self._lock = threading.Lock()
        self._free = most

    def take(self, size: int) -> bool:
        with self._lock:
            if size > self._free:
                return False
            self._free -= size
            return True

    def give_back(self, size: int) -> None:
        with self._lock:
            self._free += size


class Piece(NamedTuple):
    """The position of a part in the file, in bytes."""

    offset: int
    size: int


class Spool:
    """The file of one response; created when it is first needed."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None
        self._size = 0
        self._is_closed = False

    def put(self, part: bytes) -> Piece | None:
        """Write a part. None if there is no space, or after `close`. Raises OSError."""
        with self._lock:
            if self._is_closed or not self._disk.take(len(part)):
                return None
            piece = Piece(self._size, len(part))
            self._size += len(part)
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - `close`
            self._file.write(part)
            return piece

    def read(self, piece: Piece) -> bytes:
        """Read a part. Raises Gone after `close`."""
        with self._lock:
            if self._file is None:
                raise Gone
            return os.pread(self._file.fileno(), piece.size, piece.offset)

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            if self._file is not None:
                self._file.close()
                self._file = None
            self._disk.give_back(self._size)
            self._size = 0
