"""The lines of docs/operations.md make a backup, and bring it back."""

import os
import re
import sqlite3
import subprocess
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from benchmarks.servers import ROOT
from tests import postgres
from tests.analytics.lifecycle.places import Place
from tests.deploy.test_deploy import needs
from tests.halves import on_postgresql, on_sqlite

_SECRETS = """
from datetime import timedelta
from django.contrib.sessions.backends.db import SessionStore as OldStore
from django.utils.timezone import now
from analytics.models import RateWindow, Site, SiteSalt
from analytics.people.session_store import SessionStore
SessionStore().create()
# Of the releases before sessions had a table of their own.
OldStore().create()
RateWindow.objects.create(caller="x", minute=1, used=1)
site = Site.objects.first()
SiteSalt.objects.create(
    site_id=site.pk, day=now().date(), value=b"0" * 16, ipv6_prefix=64,
    ends_at=now() + timedelta(hours=5),
)
"""
_LEFT_OUT = (
    "analytics_sitesalt",
    "analytics_ratewindow",
    "analytics_session",
    "django_session",
)


def blocks(beginning):
    """The commands of the section about backups that have such a line."""
    text = (ROOT / "docs" / "operations.md").read_text()
    section = text.partition("\n## Backups\n")[2].partition("\n## ")[0]
    found = re.findall(r"(?:^    .*\n)+", section, re.M)
    [block] = [block for block in found if re.search(rf"^    {beginning}", block, re.M)]
    return re.sub(r"^    ", "", block, flags=re.M)


def run(script, folder, **environ):
    subprocess.run(
        ["bash", "-euc", script],
        cwd=folder,
        env={**os.environ, **environ},
        check=True,
        timeout=120,
    )


def rows(connected, table):
    return connected.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]


@on_sqlite
@needs("sqlite3")
def test_sqlite_comes_back_as_the_docs_say(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    place = Place(f"sqlite:///{data / 'krafter.sqlite3'}", data)
    place.make_history(seed=3)
    said = place.answers()
    place.run("manage.py", "shell", "-c", _SECRETS)
    with closing(sqlite3.connect(data / "krafter.sqlite3")) as opened:
        assert all(rows(opened, table) for table in _LEFT_OUT)
    run(blocks("sqlite3 data/krafter"), tmp_path)
    copy = tmp_path / "krafter-copy.sqlite3"
    assert copy.stat().st_mode & 0o077 == 0
    with closing(sqlite3.connect(copy)) as opened:
        assert not any(rows(opened, table) for table in _LEFT_OUT)
    (data / "krafter.sqlite3").write_bytes(b"broken")
    run(blocks("cp krafter-copy"), tmp_path)
    assert place.answers() == said


@on_postgresql
@pytest.mark.skipif(
    not (programs := postgres.find_package() / postgres.INSTALL / "bin").is_dir(),
    reason="the programs of PostgreSQL are not here",
)
def test_postgresql_comes_back_as_the_docs_say(tmp_path):
    with ExitStack() as stack:
        urls = [stack.enter_context(postgres.throwaway()) for _ in range(2)]
        place = Place(urls[0], tmp_path)
        place.make_history(seed=3)
        said = place.answers()
        place.run("manage.py", "shell", "-c", _SECRETS)
        with psycopg.connect(urls[0]) as one:
            assert all(rows(one, table) for table in _LEFT_OUT)
        run(blocks("pg_dump"), tmp_path, **_connected(urls[0]))
        with psycopg.connect(urls[1].rpartition("/")[0] + "/postgres") as other:
            other.autocommit = True
            other.execute("DROP DATABASE krafter")
        run(blocks("createdb"), tmp_path, **_connected(urls[1]))
        with psycopg.connect(urls[1]) as other:
            assert not any(rows(other, table) for table in _LEFT_OUT)
        assert Place(urls[1], tmp_path).answers() == said


def _connected(url):
    parts = urlsplit(url)
    return {
        "PGHOST": parts.hostname,
        "PGPORT": str(parts.port),
        "PGUSER": parts.username,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": str(Path(programs).parent / "lib"),
    }
