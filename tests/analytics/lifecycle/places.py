"""Installations of their own, on either database: commands as a shell runs them."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.servers import ROOT
from tests.postgres import throwaway


class Place:
    """A database with the tables of the service, and a folder for its files."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self.environ = {
            **os.environ,
            "DATABASE_URL": url,
            "DATA_DIR": str(folder),
            "COUNT_AHEAD": "0",
        }
        self.manage("migrate", "--verbosity=0")

    def manage(self, *arguments: str) -> str:
        return self.run("manage.py", *arguments)

    def run(self, *arguments: str) -> str:
        done = self.start(*arguments)
        out, err = done.communicate(timeout=300)
        assert done.returncode == 0, err
        return out

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def make_history(self, seed: int) -> None:
        self.run("-m", "tests.analytics.lifecycle.moving", "make", str(seed))

    def answers(self) -> Any:
        return json.loads(self.run("-m", "tests.analytics.lifecycle.moving", "answers"))


@contextlib.contextmanager
def sqlite_place(folder: Path) -> Iterator[Place]:
    folder.mkdir()
    yield Place(f"sqlite:///{folder / 'krafter.sqlite3'}", folder)


@contextlib.contextmanager
def postgres_place(folder: Path) -> Iterator[Place]:
    folder.mkdir()
    with throwaway() as url:
        yield Place(url, folder)
