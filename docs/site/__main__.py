"""Make the pages of /docs with Sphinx.

    python -m docs.site [--strict] [FOLDER]

Writes to `build/docs` unless a folder is given. `--strict` fails where a link leads to
no page or to no heading.
"""

import sys
from pathlib import Path

from sphinx.cmd.build import build_main

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[1]


def main(arguments: list[str]) -> int:
    strict = ["--fail-on-warning", "--keep-going"] if "--strict" in arguments else []
    folders = [Path(each) for each in arguments if each != "--strict"]
    made = folders[0] if folders else _ROOT / "build" / "docs"
    # Beside the pages, since all that is in their folder is served.
    read = made.with_name(f"{made.name}-read")
    places = ["-c", str(_HERE), "-d", str(read), str(_HERE.parent), str(made)]
    return build_main(["--quiet", *strict, *places])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
