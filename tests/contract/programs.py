"""Other programs that the contract's checks run: generators, compilers, linters."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "openapi.yaml"
CLIENTS = Path(__file__).with_name("clients")
BIN = Path(sys.executable).parent
_PROJECT = ("package.json", "package-lock.json", ".npmrc")


class Failed(Exception):
    """A generator, a compiler, a linter or a client is not content."""


class Missing(Exception):
    """A program or library that is not on this machine."""


def run(
    *command: object, cwd: Path = ROOT, environment: Mapping[str, str] | None = None
) -> str:
    program = str(command[0])
    if shutil.which(program) is None:
        raise Missing(program)
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))[:300]}\n{done.stdout}")
    return done.stdout


def project(folder: Path, *scripts: str) -> None:
    """Make the folder one of npm's with these files of CLIENTS in it.

    All folders beside each other use the same packages, which the first one installs.
    """
    folder.mkdir(exist_ok=True)
    for name in (*_PROJECT, "tsconfig.json", *scripts):
        shutil.copy(CLIENTS / name, folder)
    packages = folder.parent / "node_modules"
    if not packages.exists():
        npm = folder.parent / "npm"
        npm.mkdir()
        for name in _PROJECT:
            shutil.copy(CLIENTS / name, npm)
        run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=npm)
        (npm / "node_modules").rename(packages)
        # hey-api looks for it here, to know how modules are named.
        shutil.copy(CLIENTS / "tsconfig.json", folder.parent)
    (folder / "node_modules").symlink_to(packages)


def npx(
    folder: Path, *command: object, environment: Mapping[str, str] | None = None
) -> str:
    return run("npx", "--no-install", *command, cwd=folder, environment=environment)
