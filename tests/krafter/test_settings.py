"""A production configuration is sound, and a wrong one does not start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "PRODUCTION": "1",
    "SECRET_KEY": "Zq7-vR2kx_93LmWcY0hTgBnE4sUoJ1dPfAiQy8Xw5GtVbKzMrN",
    "ALLOWED_HOSTS": "stats.example.com",
}


@pytest.fixture
def manage(tmp_path):
    """Run manage.py in an environment that has these variables and no others."""

    def manage(*arguments, **variables):
        return subprocess.run(
            [sys.executable, "-W", "error", "manage.py", *arguments],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "DATA_DIR": str(tmp_path),
                **variables,
            },
            capture_output=True,
            text=True,
            timeout=60,
        )

    return manage


def setting(manage, name, **variables):
    code = f"from django.conf import settings; print(settings.{name})"
    result = manage("shell", "--no-imports", "-c", code, **variables)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_production_configuration_passes_every_check(manage):
    result = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert result.returncode == 0, result.stderr
    assert "no issues (0 silenced)" in result.stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY must be set"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS must be set"),
        ({"ALLOWED_HOSTS": " , "}, "ALLOWED_HOSTS must be set"),
        ({"DEBUG": "1"}, "DEBUG shows secrets to visitors"),
        ({"PRODUCTION": "prod"}, "PRODUCTION must be 1 or 0"),
        ({"COUNTRY_HEADER": "X_Country"}, "COUNTRY_HEADER must be a header's name"),
        ({"COUNTRY_HEADER": "X-Country"}, "COUNTRY_HEADER requires TRUSTED_PROXIES"),
        ({"DATABASE_URL": "mysql://localhost/x"}, "must name SQLite or PostgreSQL"),
        ({"RATE_LIMIT_API": "many"}, "RATE_LIMIT_API must be a whole number"),
        ({"RATE_LIMIT_COLLECT": "-1"}, "RATE_LIMIT_COLLECT must be at least 0"),
        ({"TRUSTED_PROXIES": "proxy.local"}, "TRUSTED_PROXIES: "),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_wrong_configuration_does_not_start(manage, change, message):
    result = manage("check", **{**PRODUCTION, **change})
    assert result.returncode != 0
    assert message in result.stderr


def test_secret_key_is_made_once_and_kept_for_oneself(manage, tmp_path):
    first = setting(manage, "SECRET_KEY")
    kept = tmp_path / "secret_key"
    assert len(first) >= 50
    assert setting(manage, "SECRET_KEY") == first == kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0


def test_production_makes_no_secret_key(manage, tmp_path):
    manage("check", **{**PRODUCTION, "SECRET_KEY": ""})
    assert not (tmp_path / "secret_key").exists()


def test_cookies_of_production_are_this_hosts_alone(manage):
    """What a browser asks of a cookie whose name begins with __Host-."""
    names = ("NAME", "SECURE", "PATH", "DOMAIN", "HTTPONLY")
    for cookie, name in (("SESSION", "__Host-session"), ("CSRF", "__Host-csrf")):
        code = ", settings.".join(f"{cookie}_COOKIE_{each}" for each in names)
        is_hidden = "True" if cookie == "SESSION" else "False"
        told = setting(manage, code, **PRODUCTION)
        assert told.split() == [name, "True", "/", "None", is_hidden]


NEW_KEY = PRODUCTION["SECRET_KEY"][::-1]


def test_rotated_key_needs_the_key_of_what_is_stored(manage):
    rotated = {
        **PRODUCTION,
        "SECRET_KEY": NEW_KEY,
        "SECRET_KEY_FALLBACKS": PRODUCTION["SECRET_KEY"],
    }
    result = manage("check", **rotated)
    assert result.returncode != 0
    assert "DATA_KEY must be set" in result.stderr
    rotated["DATA_KEY"] = PRODUCTION["SECRET_KEY"]
    assert setting(manage, "DATA_KEY", **rotated) == PRODUCTION["SECRET_KEY"]
    assert manage("check", "--deploy", **rotated).returncode == 0


def test_key_of_what_is_stored_is_the_secret_key_until_it_is_set(manage):
    assert setting(manage, "DATA_KEY", **PRODUCTION) == PRODUCTION["SECRET_KEY"]
