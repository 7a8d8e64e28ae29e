"""Hold the service, and clients made of its document, to the OpenAPI document.

CONTRACT_EXAMPLES (20) says how many requests schemathesis makes up at most for an
operation and a phase; CONTRACT_SEED has it make up the same ones again. The last
line is a summary in JSON.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tests.contract import breaking
from tests.contract.fuzz import fuzz
from tests.contract.generation import (
    DOCUMENT,
    GENERATED,
    LIMIT,
    RUN,
    Client,
    Failed,
    generate_by_jar,
    run,
)
from tests.contract.services import DATABASES, service


def main() -> int:
    began = time.monotonic()
    failed = [*attempt("document", check_document), *attempt("breaking", check_breaks)]
    examples = int(os.environ.get("CONTRACT_EXAMPLES", "20"))
    fuzzed = [fuzz(database, examples) for database in DATABASES]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        not_run = [
            client
            for client in RUN
            if attempt(client, partial(try_out, client, folder))
        ]
        not_made = [
            language
            for language in GENERATED
            if attempt(language, partial(generate_by_jar, language, folder / language))
        ]
    summary = {
        "operations": count_operations(),
        "cases": sum(database.cases for database in fuzzed),
        "findings": sum(database.findings for database in fuzzed),
        "clients_generated": len(RUN) + len(GENERATED) - len(not_run + not_made),
        "clients_run": len(RUN) - len(not_run),
        "failed": [*failed, *not_run, *not_made],
        "seconds": round(time.monotonic() - began),
    }
    for word, value in summary.items():
        print(f"{word.replace('_', ' '):18} {value}")
    print(json.dumps(summary))
    return int(bool(summary["failed"] or summary["findings"]))


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


def try_out(client: str, folder: Path) -> None:
    use: Client = RUN[client](folder)
    # A service each: the limit of a minute is one for all keys of a team.
    with service("PostgreSQL", LIMIT) as api:
        use(api)


def count_operations() -> int:
    paths = yaml.safe_load(DOCUMENT.read_text())["paths"]
    return sum(len(methods) for methods in paths.values())


sys.exit(main())
