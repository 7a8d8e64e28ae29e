"""schemathesis over a running service: every operation, every check, every phase."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.contract.services import DATABASES, Service, service

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
_CASES = re.compile(r"^  (\d+) generated", re.MULTILINE)
_FINDINGS = re.compile(r"(\d+) unique failures?")


class Fuzzed(NamedTuple):
    database: str
    cases: int
    findings: int


@contextmanager
def fuzzing(examples: int) -> Iterator[list[Future[Fuzzed]]]:
    """Try about `examples` generated requests an operation, besides the systematic.

    On all databases at once, and while the caller does other things: schemathesis and
    the service wait for each other most of the time.
    """
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        services = [stack.enter_context(service(database)) for database in DATABASES]
        yield [
            pool.submit(_fuzz, database, api, examples)
            for database, api in zip(DATABASES, services, strict=True)
        ]


def _fuzz(database: str, api: Service, examples: int) -> Fuzzed:
    """What is found is printed as schemathesis shows it."""
    seed = os.environ.get("CONTRACT_SEED")
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                *("--config-file", str(CONFIGURATION), "--no-color"),
                *("run", f"{api.origin}/api/v1/openapi.json", "--checks", "all"),
                # One: hypothesis reads source in each thread, which ends in a
                # SystemError now and then (CPython 3.11), and the hooks have one state.
                *("--max-examples", str(examples), "--workers", "1"),
                *(("--seed", seed) if seed else ()),
            ],
            env={
                **os.environ,
                "CONTRACT_URL": api.origin,
                "CONTRACT_KEY": api.secret,
                "PYTHONPATH": str(CONFIGURATION.parents[2]),
            },
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    cases, findings = _CASES.search(run.stdout), _FINDINGS.search(run.stdout)
    if cases is None:
        sys.exit(f"schemathesis did not run:\n{run.stdout}\n{run.stderr}")
    found = int(findings[1]) if findings else 0
    if run.returncode:
        print(run.stdout)
    return Fuzzed(database, int(cases[1]), max(found, run.returncode))
