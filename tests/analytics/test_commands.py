"""create_token, purge_salts and serve."""

import io
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from analytics.access import throttling, tokens
from analytics.ingest import visitors
from analytics.models import ApiToken, RateWindow, SiteSalt
from krafter import installation
from tests.factories import SiteFactory, TeamFactory
from tests.postgres import free_port

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def run(command, *arguments, **options):
    out, err = io.StringIO(), io.StringIO()
    call_command(command, *arguments, stdout=out, stderr=err, **options)
    return SimpleNamespace(out=out.getvalue(), err=err.getvalue())


# create_token


def test_created_token_stands_alone_on_stdout_and_works(site):
    done = run("create_token", "--name", "laptop", "--scopes", "analytics:read")
    secret = done.out.removesuffix("\n")
    assert tokens.is_well_formed(secret)
    assert secret not in done.err
    assert secret[:12] in done.err
    answer = Client(headers={"Authorization": f"Bearer {secret}"}).get(
        "/api/v1/analytics/sites"
    )
    assert [shown["site_key"] for shown in answer.json()["data"]] == [site.site_key]


def test_created_token_holds_what_was_asked_for(db):
    team = TeamFactory.create(name="Other")
    site = SiteFactory.create(team=team)
    run(
        "create_token",
        *("--name", " ci ", "--scopes", "analytics:write, analytics:read"),
        *("--team", "Other", "--site", site.site_key, "--expires", "2999-01-31"),
    )
    token = ApiToken.objects.get()
    assert (token.name, token.team) == ("ci", team)
    assert token.scopes == ["analytics:read", "analytics:write"]
    assert token.is_narrowed
    assert list(token.sites.all()) == [site]
    assert token.expires_at == datetime(2999, 1, 31, tzinfo=UTC)


def test_expiry_may_be_a_number_of_days(db):
    with time_machine.travel(NOON, tick=False):
        run("create_token", "--name", "a", "--scopes", "*", "--expires", "90")
    assert ApiToken.objects.get().expires_at == NOON + timedelta(days=90)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scopes", "*"], "--name"),
        (["--name", "a"], "--scopes"),
        (["--name", " ", "--scopes", "*"], "1 to 255"),
        (["--name", "a" * 256, "--scopes", "*"], "1 to 255"),
        (["--name", "a", "--scopes", ""], "Unknown scope ''"),
        (["--name", "a", "--scopes", "analytics:read,admin"], "Unknown scope 'admin'"),
        (["--name", "a", "--scopes", "*", "--team", "None"], "no team called"),
        (["--name", "a", "--scopes", "*", "--team", "Twin"], "Several teams"),
        (["--name", "a", "--scopes", "*", "--site", "sk_x"], "no site with the key"),
        (["--name", "a", "--scopes", "*", "--expires", "soon"], "--expires takes"),
        (["--name", "a", "--scopes", "*", "--expires", "9" * 20], "--expires takes"),
        (["--name", "a", "--scopes", "*", "--expires", "0"], "in the future"),
        (["--name", "a", "--scopes", "*", "--expires", "2020-01-01"], "in the future"),
    ],
)
def test_bad_argument_makes_no_token(db, arguments, message):
    TeamFactory.create_batch(2, name="Twin")
    with pytest.raises(CommandError, match=re.escape(message)):
        run("create_token", *arguments)
    assert not ApiToken.objects.exists()


def test_token_is_not_made_for_a_deleted_or_foreign_site(site, strangers_site):
    site.deleted_at = timezone.now()
    site.save()
    for key in (site.site_key, strangers_site.site_key):
        with pytest.raises(CommandError, match="no site with the key"):
            run("create_token", "--name", "a", "--scopes", "*", "--site", key)


# purge_salts


def test_purge_destroys_what_is_over_and_keeps_the_rest(site):
    yesterday = NOON.date() - timedelta(days=1)
    with time_machine.travel(NOON - timedelta(days=1), tick=False) as now:
        visitors.visitor(site, yesterday, address="203.0.113.9", user_agent="a")
        throttling.spend("ip:a", throttling.current_minute())
        now.move_to(NOON)
        visitors.visitor(site, NOON.date(), address="203.0.113.9", user_agent="a")
        now.move_to(NOON + timedelta(hours=11))
        throttling.spend("ip:b", throttling.current_minute())
        done = run("purge_salts")
    assert done.out == (
        "Deleted 1 salts, 1 rate limit counts, 0 stored answers, 0 entries of the"
        " audit trail and 0 sessions.\n"
    )
    assert SiteSalt.objects.get().day == NOON.date()
    assert RateWindow.objects.get().caller == "ip:b"


# serve


@pytest.fixture
def execute(monkeypatch):
    """Run `serve` with these variables; the command that would replace it."""

    def run_with(**variables):
        for name in ("HOST", "PORT", "WORKERS", "THREADS"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {"PORT": str(free_port()), **variables}.items():
            monkeypatch.setenv(name, value)
        started: list[list[str]] = []
        monkeypatch.setattr(os, "execv", lambda _, command: started.append(command))
        out = run("serve", skip_checks=True).out
        return SimpleNamespace(command=" ".join(started[0]), out=out)

    return run_with


def test_server_has_defaults(db, execute):
    done = execute()
    assert re.search(r" -m krafter\.server 127\.0\.0\.1 \d+ 1$", done.command)
    assert "Serving on http://127.0.0.1:" in done.out


def test_server_is_set_up_by_the_environment(db, execute):
    done = execute(HOST="::1", WORKERS="3", THREADS="64")
    assert re.search(r" -m krafter\.server ::1 \d+ 3$", done.command)
    assert "http://[::1]:" in done.out


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"PORT": "http"}, "PORT must be a whole number"),
        ({"PORT": "0"}, "PORT must be at least 1"),
        ({"PORT": "65536"}, "PORT must be at most 65535"),
        ({"WORKERS": "0"}, "WORKERS must be at least 1"),
        ({"THREADS": "-1"}, "THREADS must be at least 1"),
        ({"HOST": "192.0.2.1"}, "Cannot listen on 192.0.2.1 port"),
    ],
)
def test_bad_setting_stops_the_server_with_its_name(db, execute, variables, message):
    with pytest.raises(CommandError, match=message):
        execute(**variables)


def test_server_refuses_a_port_that_is_in_use(db, execute):
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            CommandError, match=rf"127.0.0.1 port {port} \(HOST, PORT\): Addr"
        ):
            execute(PORT=str(port))


def test_port_that_is_in_use_is_told_before_anything_is_made(tmp_path):
    environment = {
        **os.environ,
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'none.sqlite3'}",
    }

    def check():
        manage = str(installation.ROOT / "manage.py")
        command = [sys.executable, manage, "serve", "--check"]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        environment["PORT"] = port = str(other.getsockname()[1])
        taken = check()
    free = check()
    assert (taken.returncode, taken.stdout) == (1, "")
    assert taken.stderr == (
        f"CommandError: Cannot listen on 127.0.0.1 port {port} (HOST, PORT):"
        " Address already in use.\n"
    )
    assert (free.returncode, free.stdout, free.stderr) == (0, "", "")
    # Asking the database for the time opens the file, and writes nothing to it.
    assert all(path.stat().st_size == 0 for path in tmp_path.glob("none.*"))


def test_make_run_checks_the_port_first():
    makefile = (installation.ROOT / "Makefile").read_text()
    _, _, recipe = makefile.partition("\nrun:")
    commands = re.findall(r"\$\(MANAGE\) (.+)", recipe.partition("\n\n")[0])
    assert commands[:3] == ["serve --check", "migrate --verbosity 0", "first_run"]


def test_server_finishes_what_it_began_before_it_ends(tmp_path):
    port = free_port()
    variables = {
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'empty.sqlite3'}",
        "PORT": str(port),
        "RATE_LIMIT_COLLECT": "0",
        "GRANIAN_LOG_ACCESS_ENABLED": "true",
    }
    manage = [sys.executable, str(installation.ROOT / "manage.py")]
    environment = {**os.environ, **variables}
    subprocess.run(
        [*manage, "migrate"], env=environment, check=True, stdout=subprocess.DEVNULL
    )
    # A file of the current folder never stands in for a module.
    (tmp_path / "random.py").write_text("raise SystemExit('imported')")
    server = subprocess.Popen(
        [*manage, "serve"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        with closing(connect(port)) as client:
            # It listens before it works: wait for a first answer.
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
            client.sendall(
                b"POST /api/v1/analytics/collect HTTP/1.1\r\n"
                b"Host: localhost\r\nContent-Length: 8\r\n\r\nhalf"
            )
            time.sleep(0.5)
            server.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            client.sendall(b"half")
            assert client.recv(1 << 16).startswith(b"HTTP/1.1 400 ")
        said, _ = server.communicate(timeout=10)
    finally:
        server.kill()
    assert server.returncode == 0
    assert "/collect" not in said


def connect(port):
    deadline = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
