"""Hold the service, and clients made of its document, to the OpenAPI document.

    python -m tests.contract [--changed | --clients [WORD] | --is-passed]

Everything; with `--changed`, the generated clients only if the document or their
programs are not as they were when all of them last passed. A run in which they pass
writes that to `clients/passed.sha256`; `--is-passed` exits 0 if nothing has changed.
With `--clients`, nothing but the clients whose names have the word.
CONTRACT_EXAMPLES (20) says how many requests schemathesis makes up at most for an
operation and a phase; CONTRACT_SEED has it make up the same ones again. The last line
is a summary in JSON.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.contract import breaking, generation, languages
from tests.contract.fuzz import Fuzzed, fuzzing
from tests.contract.generation import Row
from tests.contract.lint import lint
from tests.contract.mcp_clients import try_mcp
from tests.contract.programs import CLIENTS, DOCUMENT, Failed, run
from tests.contract.services import service

PASSED = CLIENTS / "passed.sha256"


def main() -> int:
    asked = arguments()
    is_passed = PASSED.exists() and PASSED.read_text().strip() == digest()
    if asked.is_passed:
        return int(not is_passed)
    began = time.monotonic()
    failed: list[str] = []
    fuzzed: list[Fuzzed] = []
    rows: list[Row] = []
    # All of it takes the packages of npm that are installed there once.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.clients is None:
            with fuzzing(int(os.environ.get("CONTRACT_EXAMPLES", "20"))) as fuzzes:
                failed += check(folder)
            fuzzed = [each.result() for each in fuzzes]
        if asked.changed and is_passed:
            print("All clients passed with this document: none is made.")
        else:
            rows = try_clients(folder, asked.clients or "")
    failed += [row.client for row in rows if row.failure]
    summary = {
        "operations": count_operations(),
        "cases": sum(database.cases for database in fuzzed),
        "findings": sum(database.findings for database in fuzzed),
        "clients_generated": sum(row.generated == "yes" for row in rows),
        "clients_run": sum(row.ran == "yes" for row in rows),
        "failed": failed,
        "seconds": round(time.monotonic() - began),
    }
    for word, value in summary.items():
        print(f"{word.replace('_', ' '):18} {value}")
    print(json.dumps(summary))
    return int(bool(summary["failed"] or summary["findings"]))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.contract")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--changed", action="store_true")
    which.add_argument("--is-passed", action="store_true")
    which.add_argument("--clients", nargs="?", const="", metavar="WORD")
    return parser.parse_args()


def check(folder: Path) -> list[str]:
    """The names of what failed, of all but fuzzing and the generated clients."""
    return [
        *attempt("document", check_document),
        *attempt("breaks", check_breaks),
        *attempt("linters", lambda: lint(folder)),
        *attempt("MCP", lambda: print(*try_mcp(folder), sep="\n")),
    ]


def attempt(name: str, act: Callable[[], Any]) -> list[str]:
    """The name, if it failed; why is printed."""
    try:
        act()
    except Failed as error:
        print(f"{name}: {error}")
        return [name]
    return []


def check_document() -> None:
    made = run(
        *(sys.executable, "manage.py", "spectacular", "--validate", "--fail-on-warn")
    )
    if made != DOCUMENT.read_text():
        raise Failed("docs/openapi.yaml is not what the code says: run make schema")


def check_breaks() -> None:
    if breaks := breaking.since_last_release():
        raise Failed("\n".join(breaks))


def try_clients(folder: Path, word: str) -> list[Row]:
    """Make, compile and run the clients, and print a row for each."""
    chosen = [client for client in languages.ALL if word in client.name]
    with service("PostgreSQL", generation.LIMIT) as api:
        rows = [generation.try_out(client, folder, api) for client in chosen]
    for row in rows:
        if row.failure:
            print(f"{row.client}: {row.failure}")
    print("\n".join(generation.table(rows)))
    ran = [row for row in rows if row.ran == "yes" and not row.failure]
    if len(ran) == sum(client.run is not None for client in languages.ALL):
        PASSED.write_text(digest() + "\n")
    return rows


def digest() -> str:
    """Of the document, how clients are made of it, and the programs that use them."""
    files = [DOCUMENT, Path(languages.__file__), *sorted(CLIENTS.glob("[!_.]*.*"))]
    hashed = hashlib.sha256()
    for file in files:
        if file.is_file() and file != PASSED:
            hashed.update(file.read_bytes())
    return hashed.hexdigest()


def count_operations() -> int:
    paths = yaml.safe_load(DOCUMENT.read_text())["paths"]
    return sum(len(methods) for methods in paths.values())


sys.exit(main())
