"""The first start is refused, with a sentence, when something is missing."""

import os
import socket
import subprocess
import sys
import time

import pytest

from benchmarks.servers import ROOT, free_port

PRODUCTION = {"PRODUCTION": "1", "ALLOWED_HOSTS": "stats.example.com"}
STRONG = "Zq7-vR2kx_93LmWcY0hTgBnE4sUoJ1dPfAiQy8Xw5GtVbKzMrN"


@pytest.fixture
def start(tmp_path):
    """Start the service with these variables; the code, and lines of stderr."""

    def start(**variables):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "krafter.server",
                "127.0.0.1",
                str(free_port()),
                "1",
            ],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), **variables},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stderr.splitlines()

    return start


def assert_refused(started, sentence):
    code, lines = started
    assert code == 1
    assert len(lines) == 1, lines
    assert lines[0].startswith("krafter: ")
    assert sentence in lines[0]


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "run manage.py migrate: Not applied: admin.0001_initial"),
        ({"DATABASE_URL": "nonsense"}, "DATABASE_URL must be like postgres://"),
        ({"DATABASE_URL": "postgres://h:a/b"}, "DATABASE_URL must be like postgres://"),
        ({"DATABASE_URL": "postgres://host/"}, "DATABASE_URL must be like postgres://"),
        ({"HEAD_SECONDS": "61"}, "HEAD_SECONDS must be at most 60, not 61"),
        ({"SEND_SECONDS": str(2**63)}, "SEND_SECONDS must be at most 3600"),
        ({"CACHE_URL": "ftp://cache"}, "CACHE_URL must be a URL"),
        ({"CACHE_URL": "redis://cache:port"}, "CACHE_URL must be a URL"),
        ({"CACHE_URL": "redis://"}, "CACHE_URL must be a URL"),
        ({"SENTRY_DSN": "sentry"}, "SENTRY_DSN must be a URL"),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL must be one of DEBUG, INFO"),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT must be one of text, json"),
        ({"DATA_DIR": "/dev/null/data"}, "DATA_DIR cannot be written: Not a directory"),
        (PRODUCTION, "SECRET_KEY must be set"),
        ({**PRODUCTION, "SECRET_KEY": ""}, "SECRET_KEY must be set"),
        ({**PRODUCTION, "SECRET_KEY": "secret"}, "SECRET_KEY is weak"),
        ({**PRODUCTION, "SECRET_KEY": "a" * 60}, "SECRET_KEY is weak"),
    ],
)
def test_start_is_refused(start, variables, sentence):
    assert_refused(start(**variables), sentence)


def test_start_is_refused_without_a_database(start):
    url = f"postgres://x@127.0.0.1:{free_port()}/x"
    assert_refused(start(DATABASE_URL=url), "The database cannot be used: connection")


def test_start_is_refused_by_a_database_that_says_nothing(start):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgres://x@127.0.0.1:{silent.getsockname()[1]}/x"
        began = time.monotonic()
        assert_refused(start(DATABASE_URL=url), "The database cannot be used: ")
    # Five for the database, and what it takes to start twice.
    assert time.monotonic() - began < 15


def test_two_first_migrations_wait_for_each_other(tmp_path):
    environment = {
        **os.environ,
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'new.sqlite3'}",
    }
    both = [
        subprocess.Popen(
            [sys.executable, "manage.py", "migrate", "--verbosity", "1"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=110)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted("No migrations to apply" in text for text in said) == [False, True]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"PRODUCTION": "0"}, "krafter.E001"),
        ({"ALLOWED_HOSTS": "*"}, "krafter.E004"),
        ({"TRUSTED_PROXIES": "0.0.0.0/0"}, "krafter.E005"),
        ({"METRICS_NETWORKS": "::/0"}, "krafter.E006"),
        ({"RATE_LIMIT_COLLECT": "0"}, "krafter.E007"),
    ],
)
def test_check_fails_for_what_must_not_go_to_production(tmp_path, change, code):
    variables = {**PRODUCTION, "SECRET_KEY": STRONG, **change}
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert code in done.stderr
