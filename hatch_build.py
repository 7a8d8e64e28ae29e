"""Puts the documentation's pages into the wheel, made from the folder `docs`."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class DocumentationHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        pages = Path(self.root) / "build" / "docs"
        command = [sys.executable, "-m", "docs.site", "--strict", str(pages)]
        subprocess.run(command, cwd=self.root, check=True)  # noqa: S603 - our own
        build_data["force_include"][str(pages)] = "krafter/docs"
