"""The MCP server by clients that others wrote: the TypeScript SDKs, the inspector.

The Python SDK does the same in `tests/goals/mcp`.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.contract.generation import call, credentials
from tests.contract.programs import Failed, npx, project, run
from tests.contract.services import service
from tests.goals.mcp.calls import GOAL, call_of_each


def try_mcp(parent: Path) -> Iterator[str]:
    """What each client did, a line; raises Failed."""
    folder = parent / "mcp"
    project(folder, "mcp.ts")
    npx(folder, "tsc")
    with service("PostgreSQL") as api:
        keys = credentials(api)
        site = keys["CONTRACT_SITE"]
        goal = call(api, f"/api/v1/analytics/sites/{site}/goals", GOAL)["id"]
        event = {"type": "event", "name": "signup", "visitor_id": "a"}
        call(api, f"/api/v1/analytics/sites/{site}/events", event)
        calls = call_of_each(site, goal)
        environment = {**keys, "MCP_CALLS": json.dumps(calls)}
        told = run("node", "out/mcp.js", cwd=folder, environment=environment)
        for row in json.loads(told.splitlines()[-1]):
            yield f"MCP, TypeScript SDK, {row['version']}: {row['tools']} tools called"
        inspector = Inspector(folder, keys)
        inspector.try_out(site)
        yield f"MCP, inspector's command line: {len(inspector.tools())} tools listed"


class Inspector:
    """Its command line, with a key that may do everything, or one that may read."""

    def __init__(self, folder: Path, keys: dict[str, str]) -> None:
        self.folder = folder
        self.url = f"{keys['CONTRACT_URL']}/api/v1/analytics/mcp"
        self.owner, self.reader = keys["CONTRACT_KEY"], keys["CONTRACT_READ_KEY"]
        # Without the package that it is a part of, it does not find its version.
        scope = folder / "node_modules" / "@modelcontextprotocol"
        shutil.copy(scope / "inspector-cli" / "package.json", scope)

    def __call__(self, key: str, method: str, *options: str) -> Any:
        said = npx(
            *(self.folder, "mcp-inspector-cli", "--cli", self.url),
            *("--transport", "http", "--header", f"Authorization: Bearer {key}"),
            *("--method", method, *options),
        )
        return json.loads(said[said.index("{") :])

    def tools(self) -> list[str]:
        return [tool["name"] for tool in self(self.owner, "tools/list")["tools"]]

    def call(self, key: str, name: str, *arguments: str) -> Any:
        options = ("--tool-name", name, "--tool-arg", *arguments)
        return self(key, "tools/call", *options)

    def try_out(self, site: str) -> None:
        of_site = f"site_key={site}"
        steps = 'steps=[{"goal": "Signup"}, {"goal": "Signup"}]'
        answered = self.call(self.reader, "funnel", of_site, steps)
        if len(answered["structuredContent"]["data"]["steps"]) != 2:
            raise Failed(f"The inspector was told {answered}")
        wrong = self.call(self.reader, "goal_stats", of_site, "goal=None")
        if not wrong["isError"] or "goal" not in wrong["structuredContent"]["details"]:
            raise Failed(f"The inspector was told {wrong}")
        try:
            self.call(self.reader, "create_goal", of_site, "name=New")
        except Failed as refused:
            if "-32002" not in str(refused):
                raise
        else:
            raise Failed("The inspector made a goal with a key that may read")
