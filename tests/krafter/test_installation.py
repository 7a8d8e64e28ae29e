"""Where data is kept, which version it is, and what runs without the drivers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from krafter import installation

DRIVERS = ("psycopg", "psycopg_pool", "redis")


@pytest.fixture
def kept(monkeypatch, tmp_path):
    """The data folder with these variables, in a clone or installed."""
    monkeypatch.chdir(tmp_path)

    def kept(*, clone=False, **variables):
        monkeypatch.setattr(installation, "IS_CLONE", clone)
        for name in ("DATA_DIR", "XDG_DATA_HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {"HOME": "/home/ada", **variables}.items():
            monkeypatch.setenv(name, value)
        return installation.data_dir()

    return kept


def test_data_of_a_clone_is_beside_its_code(kept):
    assert kept(clone=True, XDG_DATA_HOME="/xdg") == installation.ROOT / "data"


def test_data_of_an_installed_package_is_the_users(kept):
    assert kept() == Path("/home/ada/.local/share/krafter")
    assert kept(XDG_DATA_HOME="/xdg") == Path("/xdg/krafter")
    assert kept(XDG_DATA_HOME="") == Path("/home/ada/.local/share/krafter")
    # By XDG's specification it must be ignored.
    assert kept(XDG_DATA_HOME="xdg") == Path("/home/ada/.local/share/krafter")


@pytest.mark.parametrize("clone", [True, False])
def test_data_dir_wins_and_is_absolute(kept, tmp_path, clone):
    assert kept(clone=clone, DATA_DIR="/srv/data") == Path("/srv/data")
    assert kept(clone=clone, DATA_DIR="data") == tmp_path / "data"


def test_without_a_home_data_dir_is_asked_for(kept, monkeypatch):
    def no_home():
        raise RuntimeError

    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(ImproperlyConfigured, match="DATA_DIR must be set"):
        kept()


@pytest.fixture
def manage(tmp_path):
    """Run manage.py in another folder, where these modules cannot be imported."""

    def manage(*arguments, hidden=(), **variables):
        hide = "".join(f"sys.modules[{name!r}] = None\n" for name in hidden)
        (tmp_path / "sitecustomize.py").write_text(f"import sys\n{hide}")
        return subprocess.run(
            [sys.executable, installation.ROOT / "manage.py", *arguments],
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(tmp_path),
                "DATA_DIR": "data",
                **variables,
            },
            capture_output=True,
            text=True,
            timeout=60,
        )

    return manage


@pytest.mark.parametrize("argument", ["--version", "version"])
def test_version_is_the_packages(manage, argument):
    assert manage(argument).stdout == f"krafter {installation.version()}\n"


def test_sqlite_needs_no_driver(manage, tmp_path):
    result = manage("check", hidden=DRIVERS)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "data" / "secret_key").exists()
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("hidden", "variable", "message"),
    [
        ("psycopg_pool", "DATABASE_URL=postgres://127.0.0.1/x", "krafter[postgres]"),
        ("redis", "CACHE_URL=redis://127.0.0.1", "krafter[redis]"),
    ],
)
def test_missing_driver_is_named(manage, hidden, variable, message):
    name, _, value = variable.partition("=")
    result = manage("check", hidden=[hidden], **{name: value})
    assert result.returncode != 0
    assert f"install {message}" in result.stderr
