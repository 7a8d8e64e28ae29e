"""A client that a generator makes of the document: made, compiled, and run.

What is made is thrown away. `tests.contract.languages` says how, for each language.
"""

import json
import os
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.contract.programs import Failed, Missing
from tests.contract.services import Service

# Enough for what a client does before it runs into the limit.
LIMIT = 20
REVENUE = 1234568.19
ERRORS = [401, 403, 404, 422, 429]


class Client(NamedTuple):
    """How one is made, compiled and run. All take the folder that is made for it.

    `run` also takes the service and returns what the client prints; a client
    without it is only made, because of `lacks`.
    """

    name: str
    generate: Callable[[Path], object]
    compile: Callable[[Path], object] | None = None
    run: Callable[[Path, Service], str] | None = None
    lacks: str = ""


class Row(NamedTuple):
    """What became of a client, a line of the table."""

    client: str
    generated: str = "no"
    compiled: str = "no"
    ran: str = "no"
    operations: str = "-"
    typed_errors: str = "-"
    money: str = "-"
    seconds: int = 0
    failure: str = ""


def try_out(client: Client, parent: Path, api: Service) -> Row:
    """Make, compile and run a client against a service with LIMIT requests a minute."""
    folder = parent / client.name.replace(" ", "-").replace("/", "-")
    folder.mkdir()
    began = time.monotonic()
    row = Row(client.name)
    try:
        client.generate(folder)
        row = row._replace(generated="yes")
        if client.compile is None or client.run is None:
            row = row._replace(compiled=client.lacks, ran=client.lacks)
        else:
            client.compile(folder)
            row = row._replace(compiled="yes")
            told = client.run(folder, api.of_another_team())
            row = _checked(row, json.loads(told.splitlines()[-1]))
    except Missing as missing:
        # Where packages are installed by name, none may be missing.
        failure = str(missing) if os.environ.get("CI") else ""
        row = row._replace(compiled=f"missing: {missing}", failure=failure)
    except Failed as error:
        row = row._replace(failure=str(error))
    return row._replace(seconds=round(time.monotonic() - began))


def _checked(row: Row, told: dict[str, Any]) -> Row:
    exact = "yes" if told["money"] == REVENUE else f"no: {told['money']}"
    row = row._replace(
        ran="yes",
        operations=str(told["operations"]),
        typed_errors=" ".join(map(str, told["errors"])),
        money=exact,
    )
    if told["errors"] != ERRORS or exact != "yes":
        return row._replace(failure=f"told {told}")
    return row


def table(rows: list[Row]) -> Iterator[str]:
    columns = [*Row._fields[:-1]]
    lines = [[column.replace("_", " ") for column in columns]]
    lines += [[str(value) for value in row[:-1]] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(padded).rstrip()


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
