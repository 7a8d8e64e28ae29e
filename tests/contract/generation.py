"""Clients that generators make of the document: made, checked, and run.

What they make is thrown away. A warning of a generator fails, but for two that
are not about the document.
"""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.contract.services import Service

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "openapi.yaml"
CLIENTS = Path(__file__).with_name("clients")
BIN = Path(sys.executable).parent

# openapi-generator's own notices: the first is printed for any document in 3.1,
# the second wherever `additionalProperties` is false.
NOTICES = ("OpenAPI 3.1 support is still in beta", "Failed to get the schema name")
# Enough for what a client does before it runs into the limit.
LIMIT = 20
# What these languages reserve is a query parameter here.
RENAMED = ("--parameter-name-mappings", "type=eventType")
MODELS = ("--model-name-mappings", "from=FromDay,type=TypeOfEvent")

_MEDIA_TYPES = """
project_name_override: krafter-attrs
package_name_override: krafter_attrs
content_type_overrides:
  text/plain: application/json
  application/x-ndjson: application/octet-stream
"""


# Runs what was made of the document, against a service. Raises Failed.
Client = Callable[[Service], object]


class Failed(Exception):
    """A generator, a compiler or a client is not content."""


def run(*command: object, cwd: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


def generate_by_jar(language: str, target: Path, *options: str) -> None:
    said = run(
        *(BIN / "openapi-generator-cli", "generate", "--generator-name", language),
        *("--input-spec", DOCUMENT, "--output", target, *RENAMED, *MODELS, *options),
    )
    for line in said.splitlines():
        is_notice = any(notice in line for notice in NOTICES)
        if (" WARN " in line and not is_notice) or " ERROR " in line:
            raise Failed(f"{language}: {line}")


def python_attrs(folder: Path) -> Client:
    (folder / "config.yml").write_text(_MEDIA_TYPES)
    target = folder / "attrs"
    run(
        *(BIN / "openapi-python-client", "generate", "--fail-on-warning"),
        *("--path", DOCUMENT, "--output-path", target),
        *("--config", folder / "config.yml"),
        PATH=f"{BIN}:{os.environ['PATH']}",
    )
    return lambda api: run_python("openapi_python_client.py", target, api)


def python_pydantic(folder: Path) -> Client:
    target = folder / "pydantic"
    generate_by_jar("python", target, "--package-name", "krafter_pydantic")
    return lambda api: run_python("openapi_generator.py", target, api)


def run_python(script: str, generated: Path, api: Service) -> str:
    return run(
        sys.executable,
        CLIENTS / script,
        cwd=ROOT,
        **credentials(api),
        PYTHONPATH=str(generated),
        PYTHONDONTWRITEBYTECODE="1",
    )


def typescript(folder: Path) -> Client:
    """Both TypeScript clients in one project: they share its packages."""
    project = folder / "typescript"
    shutil.copytree(CLIENTS, project, ignore=shutil.ignore_patterns("node_modules"))
    run("npm", "ci", "--no-audit", "--no-fund", cwd=project)
    generate_by_jar(
        "typescript-fetch",
        project / "typescript-fetch",
        "--additional-properties=importFileExtension=.js,stringEnums=false",
    )
    run(
        *("npx", "--no-install", "openapi-typescript", DOCUMENT),
        *("--output", "openapi-typescript/schema.d.ts"),
        cwd=project,
    )
    run("npx", "--no-install", "tsc", cwd=project)

    return lambda api: run_node("openapi_typescript.js", project, api)


def typescript_fetch(folder: Path) -> Client:
    return lambda api: run_node("typescript_fetch.js", folder / "typescript", api)


def run_node(script: str, project: Path, api: Service) -> str:
    return run("node", f"out/{script}", cwd=project, **credentials(api))


# In this order: the last needs what the one before it has compiled.
RUN: Mapping[str, Callable[[Path], Client]] = {
    "openapi-python-client": python_attrs,
    "openapi-generator python": python_pydantic,
    "openapi-typescript": typescript,
    "openapi-generator typescript-fetch": typescript_fetch,
}
GENERATED = ("go", "java", "php")


def credentials(api: Service) -> dict[str, str]:
    body = {"name": "reader", "scopes": ["analytics:read"]}
    reader = call(api, "/api/v1/tokens", body)
    site = {"domain": "shop.example", "name": "Shop"}
    made = call(api, "/api/v1/analytics/sites", site)
    return {
        "CONTRACT_URL": api.origin,
        "CONTRACT_KEY": api.secret,
        "CONTRACT_READ_KEY": reader["token"],
        "CONTRACT_SITE": made["site_key"],
    }


def call(api: Service, path: str, body: Any) -> Any:
    request = urllib.request.Request(
        api.origin + path,
        json.dumps(body).encode(),
        {
            "Authorization": f"Bearer {api.secret}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["data"]
