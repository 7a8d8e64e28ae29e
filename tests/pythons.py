"""The tests on SQLite with other Pythons than that of .venv.

    python -m tests.pythons 3.12 3.13 -- -x       arguments of pytest after --

Each gets an environment of its own with the pinned requirements, removed afterwards.
A Python that the machine does not have is named and left out.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSIONS = ("3.11", "3.12", "3.13")
# As `make setup` installs them.
PINNED = [
    *("-r", "requirements.txt"),
    *("-r", "requirements-docs.txt"),
    *("-r", "requirements-dev.txt"),
]
UV = str(Path(sys.executable).with_name("uv"))


def find(version: str) -> Path | None:
    """The interpreter: this one, the PATH's or one of pyenv's."""
    name = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    on_path = shutil.which(name)
    candidates = [
        Path(sys.base_prefix) / "bin" / name,
        *([Path(on_path)] if on_path else []),
        *sorted(pyenv.glob(f"versions/{version}.*/bin/{name}")),
    ]
    return next(filter(_runs, candidates), None)


def _runs(candidate: Path) -> bool:
    """Not so for pyenv's stand-in of a version that is not chosen."""
    return (
        candidate.exists()
        and subprocess.run([candidate, "-c", ""], capture_output=True).returncode == 0
    )


@contextlib.contextmanager
def environment(interpreter: Path) -> Iterator[Path]:
    """The Python of an empty virtual environment."""
    with tempfile.TemporaryDirectory(prefix="krafter-python-") as name:
        folder = Path(name) / "venv"
        subprocess.run([UV, "venv", "--quiet", "-p", interpreter, folder], check=True)
        yield folder / "bin" / "python"


def install(python: Path, *what: str) -> None:
    # Without pyproject.toml's settings, which lock for the oldest Python. Compiled:
    # each process would do it again where Python must not write such files.
    command = [UV, "pip", "install", "--quiet", "--no-config", "--compile-bytecode"]
    subprocess.run([*command, "--python", python, *what], cwd=ROOT, check=True)


def run_tests(version: str, arguments: list[str]) -> bool:
    """Whether they passed, or could not be run."""
    interpreter = find(version)
    if interpreter is None:
        print(f"Python {version}: not on this machine, not tried", flush=True)
        return True
    began = time.monotonic()
    with environment(interpreter) as python:
        install(python, "--require-hashes", *PINNED)
        pytest: list[str | Path] = [
            python,
            "-m",
            "pytest",
            "-n",
            "2",
            "--dist",
            "worksteal",
            "-q",
        ]
        # The cache is that of the usual Python.
        pytest += ["-p", "no:cacheprovider", *arguments]
        on_sqlite = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
        code = subprocess.run(pytest, cwd=ROOT, env=on_sqlite, check=False).returncode
    passed = "passed" if code == 0 else "failed"
    print(f"Python {version}: {passed}, {time.monotonic() - began:.0f} s", flush=True)
    return code == 0


def main() -> int:
    versions, _, arguments = " ".join(sys.argv[1:]).partition("--")
    results = [run_tests(version, arguments.split()) for version in versions.split()]
    return int(not results or not all(results))


if __name__ == "__main__":
    sys.exit(main())
