"""The wheel, in an empty environment of each Python: from installing to a conversion.

    python -m tests.package [--pipx]

Builds the wheel, and another from the source distribution, which must hold the same.
Then does what the README says, timed: `pipx install`, migrate, first run, serve, and a
conversion; with `--pipx` no more. Then for each Python, for all at once: installs it
without a driver, does the same, opens the pages and the documentation, and does it
again on PostgreSQL with the extras. No source of this clone is on the path.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.servers import Server, free_port
from tests.postgres import throwaway
from tests.pythons import ROOT, VERSIONS, environment, find, install
from tests.running import Service

START_SECONDS = 60
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PAGES = (
    "/login",
    "/admin/login/",
    "/api/v1/docs",
    "/docs/",
    "/docs/admin.html",
    "/docs/searchindex.js",
    "/a.js",
    "/readyz",
)
# What a page of the installed service asks for: all of it must be there.
_ASSET = re.compile(r'(?:src|href)="(/static/[^"]+)"')
_LOAD_TEMPLATES = """
from django.template.loader import get_template
for name in {names}: get_template(name)
"""


def build(folder: Path) -> Path:
    """The wheel; the one made from the source distribution holds the same files."""
    hatchling = Path(sys.executable).with_name("hatchling")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([hatchling, "build", "-d", folder], cwd=ROOT, check=True, **quiet)  # type: ignore[call-overload]
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    unpacked = folder / source.name.removesuffix(".tar.gz")
    again = [hatchling, "build", "-t", "wheel", "-d", folder / "again"]
    subprocess.run(again, cwd=unpacked, check=True, **quiet)  # type: ignore[call-overload]
    (second,) = (folder / "again").glob("*.whl")
    first_names, second_names = (
        set(zipfile.ZipFile(file).namelist()) for file in (wheel, second)
    )
    if first_names != second_names:
        raise SystemExit(f"They differ: {sorted(first_names ^ second_names)}")
    return wheel


class Installed:
    """The `krafter` of an environment, with a home and a current folder of its own."""

    def __init__(self, krafter: Path, home: Path, **settings: str) -> None:
        self.krafter = krafter
        self.home = home
        home.mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PORT": str(free_port()),
            **settings,
        }

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [self.krafter, *arguments],
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"krafter {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    @contextlib.contextmanager
    def serving(self) -> Iterator[Server]:
        process = subprocess.Popen(
            [self.krafter, "serve"], cwd=self.home, env=self.environment
        )
        url = f"http://127.0.0.1:{self.environment['PORT']}"
        try:
            _wait_for(f"{url}/readyz", process)
            yield Server(process, url)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(40)


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        time.sleep(0.1)
    raise SystemExit("krafter serve does not answer")


@contextlib.contextmanager
def first_run(installed: Installed) -> Iterator[Service]:
    """What serves an empty database, once a first conversion is counted."""
    installed("migrate", "--verbosity", "0")
    (secret,) = set(re.findall(r"kr_live_[\w-]{43}", installed("first_run")))
    with installed.serving() as server:
        service = Service(server, secret)
        convert(service)
        yield service


def use(installed: Installed) -> None:
    """Everything from an empty database to a conversion and the pages."""
    with first_run(installed) as service:
        open_pages(service)
    templates = ROOT / "templates"
    names = [str(path.relative_to(templates)) for path in templates.rglob("*.html")]
    installed("shell", "--no-imports", "-c", _LOAD_TEMPLATES.format(names=names))
    installed("check")


def convert(service: Service) -> None:
    key = service.new_site("shop.example")
    goals = f"/sites/{key}/goals"
    rule = {"name": "Welcome", "type": "pageview", "match_type": "exact"}
    made = service("POST", goals, {**rule, "match_value": "/welcome"})
    view = {"site": key, "type": "pageview", "url": "https://shop.example/welcome"}
    seen = service("POST", "/collect", view, User_Agent=BROWSER)
    stats = service("GET", f"{goals}/{made.json()['data']['id']}/stats")
    if (seen.status, stats.json()["data"]["conversions"]) != (202, 1):
        raise SystemExit(f"No conversion: {seen}, {stats}")


def open_pages(service: Service) -> None:
    assets = set()
    for page in PAGES:
        answer = service.open(page)
        assets |= set(_ASSET.findall(answer.body.decode()))
        if answer.status != 200:
            raise SystemExit(f"{page}: {answer.status}")
    for asset in sorted(assets):
        if service.open(asset).status != 200:
            raise SystemExit(f"{asset} is missing")
    if not any("swagger-ui" in asset for asset in assets):
        raise SystemExit("The pages name no files: what was tried?")


def try_on(version: str, interpreter: Path, wheel: Path, database_url: str) -> None:
    expected = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    began = time.monotonic()
    with (
        environment(interpreter) as python,
        tempfile.TemporaryDirectory(prefix="krafter-home-") as name,
    ):
        pins = ("--constraint", "requirements.txt")
        install(python, *pins, str(wheel))
        installed_after = time.monotonic() - began
        krafter = python.with_name("krafter")
        on_sqlite = Installed(krafter, Path(name) / "sqlite")
        if on_sqlite("--version") != f"krafter {expected['version']}\n":
            raise SystemExit("krafter --version is not pyproject.toml's")
        use(on_sqlite)
        converted_after = time.monotonic() - began
        data = on_sqlite.home / ".local" / "share" / "krafter"
        if not (data / "krafter.sqlite3").is_file():
            raise SystemExit(f"Nothing in {data}")
        install(python, *pins, f"krafter[postgres,redis] @ {wheel.as_uri()}")
        use(Installed(krafter, Path(name) / "postgres", DATABASE_URL=database_url))
    print(
        f"Python {version}: installed after {installed_after:.1f} s, all used on SQLite"
        f" after {converted_after:.1f} s, on PostgreSQL after"
        f" {time.monotonic() - began:.1f} s",
        flush=True,
    )


def try_pipx(wheel: Path) -> None:
    """From `pipx install` to the first conversion, as on a new machine."""
    with tempfile.TemporaryDirectory(prefix="krafter-pipx-") as name:
        places = {
            f"PIPX_{place}": str(Path(name) / place.lower())
            for place in ("HOME", "BIN_DIR", "MAN_DIR")
        }
        pipx = Path(sys.executable).with_name("pipx")
        pins = f"--constraint {ROOT / 'requirements.txt'}"
        began = time.monotonic()
        subprocess.run(
            [pipx, "install", "--quiet", "--pip-args", pins, wheel],
            env={**os.environ, **places},
            check=True,
        )
        installed_after = time.monotonic() - began
        krafter = Path(places["PIPX_BIN_DIR"]) / "krafter"
        with first_run(Installed(krafter, Path(name) / "user")):
            converted_after = time.monotonic() - began
    print(
        f"pipx: installed after {installed_after:.1f} s, first conversion after"
        f" {converted_after:.1f} s",
        flush=True,
    )


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="krafter-wheel-") as name:
        wheel = build(Path(name))
        print(f"{wheel.name}: {wheel.stat().st_size / 1024:.0f} KiB", flush=True)
        try_pipx(wheel)
        if sys.argv[1:] == ["--pipx"]:
            return
        found = {version: path for version in VERSIONS if (path := find(version))}
        for version in VERSIONS:
            if version not in found:
                print(f"Python {version}: not on this machine, not tried", flush=True)
        with contextlib.ExitStack() as stack, ThreadPoolExecutor() as pool:
            urls = [stack.enter_context(throwaway()) for _ in found]
            trials = [
                pool.submit(try_on, version, interpreter, wheel, url)
                for (version, interpreter), url in zip(found.items(), urls, strict=True)
            ]
            for trial in trials:
                trial.result()


if __name__ == "__main__":
    main()
