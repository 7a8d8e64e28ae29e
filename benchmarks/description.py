"""How many lines describe the API a second time: beside the code that runs.

    python -m benchmarks.description [--names] [COMMIT ...]

Counts the checkout, or commits. A line counts if nothing but the OpenAPI document
needs it: it is in a module `openapi`, in the package `krafter/openapi`, or in a
serializer, field or struct that only these use. Not counted: blank lines,
comments, docstrings, imports, prose (summaries, descriptions) and examples. What makes
the document out of that, whatever the API looks like, is a sum of its own. Last
come the mentions of `Any` in the code of the three packages, imports left out.
"""

import argparse
import ast
import io
import subprocess
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
_OLD = ("krafter/error_schemas.py", "krafter/operations.py")
PACKAGES = ("analytics", "goals", "krafter")
# With the names that these had before they were a package.
DESCRIPTIONS = ("krafter/openapi/", "krafter/schema.py", *_OLD)
ENGINE = (
    "krafter/schema.py",
    "krafter/openapi/schema.py",
    "krafter/openapi/structs.py",
)
PROSE = {"summary", "description", "help_text", "answered", "sent", "examples"}
_SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}

Spans = list[tuple[tuple[int, int], tuple[int, int]]]


class Source(NamedTuple):
    tree: ast.Module
    lines: frozenset[int]


def sources(commit: str | None) -> dict[str, Source]:
    """The modules of the packages by path, migrations left out."""
    if commit is None:
        return {
            str(path.relative_to(ROOT)): parsed(path.read_text())
            for package in PACKAGES
            for path in sorted((ROOT / package).rglob("*.py"))
            if "migrations" not in path.parts
        }
    names = git("ls-tree", "-r", "--name-only", commit, *PACKAGES).splitlines()
    return {
        name: parsed(git("show", f"{commit}:{name}"))
        for name in names
        if name.endswith(".py") and "/migrations/" not in name
    }


def git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout


def parsed(text: str) -> Source:
    tree = ast.parse(text)
    silent = list(spans_of_prose(tree))
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in _SILENT or any(a <= token.start < b for a, b in silent):
            continue
        # A comma or bracket by itself is layout, and says nothing.
        if token.type != tokenize.OP:
            lines.update(range(token.start[0], token.end[0] + 1))
    return Source(tree, frozenset(lines))


def spans_of_prose(tree: ast.Module) -> Iterator[tuple[tuple[int, int], ...]]:
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                yield span(node, node)
            case ast.Import() | ast.ImportFrom():
                yield span(node, node)
            case ast.keyword(arg=str(name), value=value) if name in PROSE:
                yield span(node, value)
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and key.value in PROSE:
                        yield span(key, value)


def span(first: ast.AST, last: ast.AST) -> tuple[tuple[int, int], ...]:
    return (
        (first.lineno, first.col_offset),  # type: ignore[attr-defined]
        (last.end_lineno, last.end_col_offset),  # type: ignore[attr-defined]
    )


def is_description(path: str) -> bool:
    if path == "krafter/openapi/pages.py":
        return False
    return path.endswith("/openapi.py") or path.startswith(DESCRIPTIONS)


def names(nodes: Iterable[ast.AST]) -> set[str]:
    """The names that these statements use, imports left out."""
    return {
        str(getattr(node, "id", getattr(node, "attr", None)))
        for statement in nodes
        if not isinstance(statement, ast.Import | ast.ImportFrom)
        for node in ast.walk(statement)
    }


def idle(found: Mapping[str, Source]) -> dict[str, list[tuple[str, ast.ClassDef]]]:
    """The classes that descriptions use, and nothing else but one another."""
    described, running = [], []
    defined: dict[str, list[tuple[str, ast.ClassDef]]] = {}
    for path, source in found.items():
        for node in source.tree.body:
            if is_description(path):
                described.append(node)
            elif isinstance(node, ast.ClassDef):
                defined.setdefault(node.name, []).append((path, node))
            else:
                running.append(node)
    used = names(running)
    while more := [name for name in defined if name in used]:
        used |= names(node for name in more for _, node in defined.pop(name))
    told = names(described)
    kept: dict[str, list[tuple[str, ast.ClassDef]]] = {}
    while more := [name for name in defined if name in told]:
        for name in more:
            kept[name] = defined.pop(name)
            told |= names(node for _, node in kept[name])
    return kept


def counted(found: Mapping[str, Source]) -> dict[str, int]:
    lines = {
        path: len(source.lines)
        for path, source in found.items()
        if is_description(path)
    }
    for name, places in idle(found).items():
        for path, node in places:
            own = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            lines[f"{path} {name}"] = len(found[path].lines.intersection(own))
    return lines


def anys(found: Mapping[str, Source]) -> int:
    return sum(
        isinstance(node, ast.Name) and node.id == "Any"
        for source in found.values()
        for node in ast.walk(source.tree)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", action="store_true", help="each file and class")
    parser.add_argument("commits", nargs="*", default=[None])
    arguments = parser.parse_args()
    for commit in arguments.commits:
        found = sources(commit)
        lines = counted(found)
        engine = sum(lines.pop(name, 0) for name in ENGINE)
        if arguments.names:
            for name, number in lines.items():
                print(f"{number:6} {name}")
        print(
            f"{commit or 'checkout'}: {sum(lines.values())} lines describe the API a"
            f" second time, {engine} make the document; {anys(found)} Any"
        )


if __name__ == "__main__":
    main()
