"""A salt that was destroyed is in no file of the database any more.

    pytest tests/analytics/ingest/test_salts_in_files.py
    python -m tests.postgres -- pytest tests/analytics/ingest/test_salts_in_files.py

The first searches SQLite's file, its log and a dump; the second all files of a
PostgreSQL server, its log among them, and a dump.
"""

import os
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from secrets import token_bytes

import psycopg
import pytest
import time_machine
from django.db import connection

from analytics.ingest import salts, visitors
from analytics.models import RateWindow, SiteSalt
from tests.factories import SiteFactory
from tests.halves import on_postgresql

ROOT = Path(__file__).resolve().parents[3]
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
OVER = datetime(2026, 11, 28, 23, 30, tzinfo=UTC)
RELEASE = ROOT / "tests" / "analytics" / "data" / "release-0.2.0.sql"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def found_in(folder, secrets):
    """How often the salts are in the folder's files, as bytes or in hexadecimal."""
    times = 0
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for secret in secrets:
                forms = (secret, secret.hex().encode(), secret.hex().upper().encode())
                times += sum(content.count(form) for form in forms)
    return times


# SQLite, in a process of its own as tests have their database in memory

SCRIPT = """
import sys
from datetime import UTC, datetime, timedelta
import django
django.setup()
import time_machine
from django.core.management import call_command
from analytics import housekeeping
from analytics.ingest import salts, visitors
from analytics.models import Site, SiteSalt, Team
from django.db import connection

noon, over = map(datetime.fromisoformat, sys.argv[1:])
call_command("migrate", verbosity=0)
team = Team.objects.create(name="x")
sites = [Site.objects.create(team=team, domain=f"{n}.example") for n in range(200)]
day = noon.date()
with time_machine.travel(noon, tick=False) as now:
    for site in sites:
        visitors.visitor(site, day, address="192.0.2.1", user_agent="a")
    old = {bytes(salt.value).hex() for salt in SiteSalt.objects.all()}
    now.move_to(over - timedelta(hours=10))
    for site in sites:
        visitors.visitor(
            site, day + timedelta(days=1), address="192.0.2.1", user_agent="a"
        )
    living = {bytes(salt.value).hex() for salt in SiteSalt.objects.all()} - old
    print(*old)
    print(*living, flush=True)
    input()
    now.move_to(over)
    print(housekeeping.tidy().salts, flush=True)
    # The connection is kept: SQLite empties its log when the last one is closed.
    input()
"""


def test_sqlite_keeps_no_salt_that_was_destroyed(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, NOON.isoformat(), OVER.isoformat()],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
            "DJANGO_SETTINGS_MODULE": "krafter.settings",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        old, living = (
            [bytes.fromhex(word) for word in process.stdout.readline().split()]
            for _ in range(2)
        )
        assert len(old) == len(living) == 200
        # The search finds them while they are there.
        assert found_in(tmp_path, old) >= 200
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "200\n"
        assert (tmp_path / "db.sqlite3-wal").exists()
        with sqlite3.connect(tmp_path / "db.sqlite3") as database:
            (tmp_path / "dump.sql").write_text("\n".join(database.iterdump()))
        database.close()
        assert found_in(tmp_path, old) == 0
        assert found_in(tmp_path, living) >= 400
        process.stdin.write("\n")


# PostgreSQL


@pytest.mark.django_db(transaction=True)
@on_postgresql
def test_postgresql_keeps_no_salt_that_was_destroyed(tmp_path, monkeypatch):
    # Salts that begin alike: the server has many files, and 200 searches take minutes.
    beginnings = old, living = [token_bytes(8)], [token_bytes(8)]
    sites = SiteFactory.create_batch(200)
    with time_machine.travel(NOON, tick=False) as now:
        for later, [beginning] in enumerate(beginnings):
            monkeypatch.setattr(
                salts,
                "token_bytes",
                lambda size, b=beginning: b + token_bytes(size - 8),
            )
            now.move_to(OVER - timedelta(hours=10) if later else NOON)
            day = NOON.date() + timedelta(days=later)
            for site in sites:
                visitors.visitor(site, day, address="192.0.2.1", user_agent="a")
        write_to_files()
        assert found_in(data_directory(), old) >= 200
        now.move_to(OVER)
        assert salts.destroy() == 200
    assert found_in(data_directory(), old) == 0
    write_to_files()
    # What pg_dump reads; its own version may not fit the server's.
    with psycopg.connect(url()) as own, own.cursor() as cursor:
        table = f"COPY {SiteSalt._meta.db_table} TO STDOUT"
        with (tmp_path / "dump.sql").open("wb") as dump, cursor.copy(table) as rows:
            dump.writelines(bytes(row) for row in rows)
    assert found_in(tmp_path, old) == 0
    assert found_in(tmp_path, living) == 200
    assert found_in(data_directory(), old) == 0
    assert found_in(data_directory(), living) >= 200


def url():
    values = connection.settings_dict
    return (
        f"postgres://{values['USER']}@{values['HOST']}:{values['PORT']}"
        f"/{values['NAME']}"
    )


def write_to_files():
    """Have the server write to its files what it holds in memory.

    A checkpoint leaves out unlogged tables, which it writes when it is short of memory.
    ANALYZE is what autovacuum may do at any time: it samples the table's values.
    """
    with psycopg.connect(url(), autocommit=True) as own:
        own.execute(f"VACUUM FULL {SiteSalt._meta.db_table}")
        own.execute(f"ANALYZE {SiteSalt._meta.db_table}")
        own.execute("CHECKPOINT")


def data_directory():
    with connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")
        return Path(cursor.fetchone()[0])


@pytest.mark.django_db
@on_postgresql
def test_table_of_salts_is_in_no_log_and_no_replica():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relpersistence FROM pg_class WHERE relname = %s",
            [SiteSalt._meta.db_table],
        )
        assert cursor.fetchone() == ("u",)


MIGRATION = import_module("analytics.migrations.0023_no_statistics_of_salts")


@pytest.mark.django_db
@on_postgresql
@pytest.mark.parametrize(
    ("model", "column"), [(SiteSalt, "value"), (RateWindow, "caller")]
)
def test_database_keeps_no_samples_of_what_is_destroyed(model, column):
    """They would stay in pg_statistic and, since that is logged, on replicas."""
    for number in range(100):
        SiteSalt.objects.create(
            site_id=number,
            day=NOON.date(),
            value=token_bytes(16),
            ipv6_prefix=64,
            ends_at=OVER,
        )
        RateWindow.objects.create(caller=f"caller {number}", minute=1, used=1)
    table = model._meta.db_table

    def samples():
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {table}")
            cursor.execute(
                "SELECT count(*) FROM pg_stats WHERE tablename = %s AND attname = %s",
                [table, column],
            )
            return cursor.fetchone()[0]

    assert samples() == 0
    # As it was before: the test sees samples, and the migration drops them.
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS -1")
    assert samples() == 1
    with connection.schema_editor(atomic=False) as editor:
        MIGRATION.keep_no_samples(None, editor)
    assert samples() == 0


# Files are the service's own


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_files_are_closed_to_others_whatever_the_umask(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o755)
    database = folder / "krafter.sqlite3"
    database.touch()
    database.chmod(0o644)
    code = (
        "import os; os.umask(0); import django; django.setup();"
        "from django.core.management import call_command as call;"
        "call('migrate', verbosity=0);"
        "from analytics.models import Team; Team.objects.create(name='x');"
        "print(sorted(os.listdir(os.environ['DATA_DIR'])));"
        "print(*(oct(os.stat(os.path.join(os.environ['DATA_DIR'], n)).st_mode & 0o777)"
        " for n in sorted(os.listdir(os.environ['DATA_DIR']))))"
    )
    environ = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={
            **environ,
            "DATA_DIR": str(folder),
            "DJANGO_SETTINGS_MODULE": "krafter.settings",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    names, modes = done.stdout.splitlines()
    for name in ("krafter.sqlite3", "krafter.sqlite3-wal", "secret_key"):
        assert name in names
    assert set(modes.split()) == {"0o600"}
    assert mode(folder) == 0o700


# From a database of release 0.2.0

UPGRADED = """
from datetime import UTC, date, datetime, timedelta
import django
django.setup()
import time_machine
from django.core.management import call_command
from analytics.ingest import salts, visitors
from analytics.models import Event, Site, SiteSalt

AGENT = {agent!r}
today = date(2026, 11, 28)
with time_machine.travel(datetime(2026, 11, 28, 20, tzinfo=UTC), tick=False) as now:
    call_command("migrate", verbosity=0)

    def ids(day):
        return {{
            (site.pk, visitors.visitor(site, day, address=address, user_agent=AGENT))
            for site in Site.objects.all()
            for address in ("192.0.2.1", "2001:db8:1:2::99")
        }}

    assert ids(today) == set(Event.objects.values_list("site_id", "visitor"))
    assert len(set(SiteSalt.objects.values_list("value", flat=True))) == 2
    for salt in SiteSalt.objects.all():
        site = Site.objects.get(pk=salt.site_id)
        assert salt.ends_at <= site.midnight(today) + timedelta(hours=47)
    now.shift(timedelta(hours=12))
    before = ids(today + timedelta(days=1))
    rows = SiteSalt.objects.filter(day=today + timedelta(days=1))
    assert len(set(rows.values_list("value", flat=True))) == 3
    now.move_to(datetime(2026, 11, 29, 23, 30, tzinfo=UTC))
    assert salts.destroy() == 3
print("right")
"""


def test_visitors_of_the_day_of_an_upgrade_stay_who_they_were(tmp_path):
    path = tmp_path / "db.sqlite3"
    with sqlite3.connect(path) as database:
        database.executescript(RELEASE.read_text())
    database.close()
    done = subprocess.run(
        [sys.executable, "-c", UPGRADED.format(agent=AGENT)],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": f"sqlite:///{path}",
            "DJANGO_SETTINGS_MODULE": "krafter.settings",
        },
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr[-2_000:]) == ("right\n", "")
    # The salts of the release are not left in the file either.
    text = RELEASE.read_text()
    rows = [line for line in text.splitlines() if '_salt" V' in line]
    marked = [row.partition("X'")[2][:32] for row in rows]
    assert len(marked) == 2
    assert found_in(tmp_path, [bytes.fromhex(value) for value in marked]) == 0
