"""Files that nobody but the service's own user may read, whatever the umask."""

import os
from pathlib import Path
from typing import TextIO

_BESIDE = ("-wal", "-shm", "-journal")


def make_folder(path: Path) -> None:
    """Make the folder, or close one that there is. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    _close(path, 0o700)


def make_database(path: Path) -> None:
    """Make SQLite's file before SQLite does: it gives its mode to those beside it.

    Raises OSError.
    """
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    for name in ("", *_BESIDE):
        beside = path.with_name(path.name + name)
        if beside.exists():
            _close(beside, 0o600)


def new(path: Path) -> TextIO:
    """A file to write to. Raises FileExistsError, OSError."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w")


def kept(path: Path) -> TextIO:
    """A file that may be there. Raises OSError."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w")


def _close(path: Path, mode: int) -> None:
    status = path.stat()
    # Somebody else's is theirs to close.
    if status.st_uid == os.geteuid() and status.st_mode & 0o777 & ~mode:
        path.chmod(mode)
