"""Files that only the service's own user can read, regardless of the umask."""

import os
from pathlib import Path
from typing import TextIO

_BESIDE = ("-wal", "-shm", "-journal")


def make_folder(path: Path) -> None:
    """Create the folder, or restrict access to an existing one. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    _close(path, 0o700)


def make_database(path: Path) -> None:
    """Create SQLite's file before SQLite does. Its mode is copied to the files beside
    it.

    Raises OSError.
    """
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    for name in ("", *_BESIDE):
        beside = path.with_name(path.name + name)
        if beside.exists():
            _close(beside, 0o600)


def new(path: Path) -> TextIO:
    """Open a new file for writing. Raises FileExistsError, OSError."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w")


def kept(path: Path) -> TextIO:
    """Open a file that may already exist. Raises OSError."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w")


def _close(path: Path, mode: int) -> None:
    status = path.stat()
    # The permissions of a file of another user cannot be changed.
    if status.st_uid == os.geteuid() and status.st_mode & 0o777 & ~mode:
        path.chmod(mode)
