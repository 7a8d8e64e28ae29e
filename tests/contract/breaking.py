"""Changes of the OpenAPI document that would break a client of the last release.

    python -m tests.contract.breaking

What a client sends must go on being taken, and what it is answered must go on being
there: operations, parameters, fields and answers may come but not go. A type may
widen in requests and narrow in answers, not the other way round.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DOCS = Path(__file__).parents[2] / "docs"

Schema = dict[str, Any]
_NULL: Schema = {"type": "null"}
# They say how many bits a number needs; JSON's are the same.
_NUMBERS = ("int32", "int64", "float", "double")

# A bound that is new or tighter refuses what was taken; True: larger is tighter.
_BOUNDS = {
    "minimum": True,
    "exclusiveMinimum": True,
    "minLength": True,
    "minItems": True,
    "minProperties": True,
    "maximum": False,
    "maxLength": False,
    "maxItems": False,
    "maxProperties": False,
}


# Changes since a release that are meant, and in the changelog: the release, what of
# the sentences of `breaks`, and why.
ANNOUNCED: list[tuple[str, str, str]] = [
    (
        "0.2.0",
        r"body\.(domain|allowed_hosts\[\]|excluded_referrers\[\]): pattern is now",
        "As it was, but with escapes that PHP reads too, and without white space, which"
        " no host has.",
    ),
]


def since_last_release(folder: Path = DOCS) -> list[str]:
    """What breaks clients of the newest `contract-<version>.yaml` in the folder.

    Files and not tags: tags do not come with every clone. `make release` writes it.
    What is announced is left out.
    """
    kept = {_version(path): path for path in folder.glob("contract-*.yaml")}
    newest = max(kept)
    before = kept[newest].read_text()
    after = (folder / "openapi.yaml").read_text()
    meant = [
        re.compile(pattern)
        for version, pattern, _ in ANNOUNCED
        if version == ".".join(map(str, newest))
    ]
    return [
        sentence
        for sentence in breaks(yaml.safe_load(before), yaml.safe_load(after))
        if not any(pattern.search(sentence) for pattern in meant)
    ]


def _version(path: Path) -> tuple[int, ...]:
    numbers = path.stem.removeprefix("contract-").split(".")
    return tuple(int(number) for number in numbers)


def breaks(before: Schema, after: Schema) -> Iterator[str]:
    """One sentence for each way in which a client of `before` would be broken."""
    for path, methods in before["paths"].items():
        for method, old in methods.items():
            new = after["paths"].get(path, {}).get(method)
            where = f"{method.upper()} {path}"
            if new is None:
                yield f"{where}: is gone"
                continue
            compared = _Compared(before, after)
            yield from _names(old, new, where)
            yield from compared.parameters(old, new, where)
            yield from compared.body(old, new, where)
            yield from compared.answers(old, new, where)


def _names(old: Schema, new: Schema, where: str) -> Iterator[str]:
    """Clients are made of operation ids, and keys of scopes."""
    for word in ("operationId", "security"):
        if old.get(word) != new.get(word):
            yield f"{where}: {word} was {old.get(word)}, is {new.get(word)}"


class _Compared:
    """Two documents; each pair of schemas is looked at once in each direction."""

    def __init__(self, before: Schema, after: Schema) -> None:
        self.before = before
        self.after = after
        self.seen: set[tuple[Any, ...]] = set()

    def parameters(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        olds, news = _by_name(old), _by_name(new)
        for name, parameter in olds.items():
            if name not in news:
                yield f"{where}: parameter {name[1]} is gone"
                continue
            yield from self.request(
                parameter["schema"], news[name]["schema"], f"{where}: {name[1]}"
            )
        for name, parameter in news.items():
            was_required = olds.get(name, {}).get("required", False)
            if parameter.get("required") and not was_required:
                yield f"{where}: parameter {name[1]} is now required"

    def body(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        olds = old.get("requestBody", {}).get("content", {})
        news = new.get("requestBody", {}).get("content", {})
        if new.get("requestBody", {}).get("required") and not olds:
            yield f"{where}: a body is now required"
        for media_type in olds:
            if media_type not in news:
                yield f"{where}: takes no {media_type} any more"
                continue
            yield from self.request(
                olds[media_type]["schema"],
                news[media_type]["schema"],
                f"{where}: body",
            )

    def answers(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        for status, answer in old["responses"].items():
            if status not in new["responses"]:
                yield f"{where}: answer {status} is gone"
                continue
            olds = _resolved(self.before, answer).get("content", {})
            news = _resolved(self.after, new["responses"][status]).get("content", {})
            for media_type in olds:
                if media_type not in news:
                    yield f"{where}: {status} as {media_type} is gone"
                    continue
                yield from self.answer(
                    olds[media_type]["schema"],
                    news[media_type]["schema"],
                    f"{where}: {status}",
                )

    def request(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        """Everything that was taken is taken."""
        if self._was_seen(old, new, "request"):
            return
        old, new = _resolved(self.before, old), _resolved(self.after, new)
        if lost := _types(old) - _types(new):
            yield f"{where}: takes no {' or '.join(sorted(lost))} any more"
        if "enum" in new:
            for value in old.get("enum", ["other values"]):
                if value not in new["enum"]:
                    yield f"{where}: takes no {value} any more"
        yield from _tightened(old, new, where)
        for name in set(new.get("required", ())) - set(old.get("required", ())):
            yield f"{where}.{name}: is now required"
        yield from self._fields(old, new, where, self.request)

    def answer(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        """Everything that was answered is, and nothing else in its place."""
        if self._was_seen(old, new, "answer"):
            return
        old, new = _resolved(self.before, old), _resolved(self.after, new)
        if more := _types(new) - _types(old):
            yield f"{where}: may now be {' or '.join(sorted(more))}"
        if "enum" in old:
            for value in new.get("enum", ["other values"]):
                if value not in old["enum"]:
                    yield f"{where}: may now be {value}"
        for name in set(old.get("required", ())) - set(new.get("required", ())):
            yield f"{where}.{name}: may now be absent"
        yield from self._fields(old, new, where, self.answer)

    def _fields(
        self, old: Schema, new: Schema, where: str, compare: Any
    ) -> Iterator[str]:
        olds, news = old.get("properties", {}), new.get("properties", {})
        for name, schema in olds.items():
            if name in news:
                yield from compare(schema, news[name], f"{where}.{name}")
            else:
                yield f"{where}.{name}: is gone"
        for word in ("items", "additionalProperties"):
            if isinstance(old.get(word), dict) and isinstance(new.get(word), dict):
                yield from compare(old[word], new[word], f"{where}[]")
        choices = zip(_choices(old), _choices(new), strict=False)
        for first, second in choices:
            yield from compare(first, second, where)

    def _was_seen(self, old: Schema, new: Schema, way: str) -> bool:
        """Guards against schemas that refer to themselves."""
        pair = (old.get("$ref"), new.get("$ref"), way)
        if None in pair:
            return False
        is_known = pair in self.seen
        self.seen.add(pair)
        return is_known


def _by_name(operation: Schema) -> dict[tuple[str, str], Schema]:
    return {(p["in"], p["name"]): p for p in operation.get("parameters", [])}


def _resolved(document: Schema, node: Schema) -> Schema:
    while "$ref" in node:
        found: Schema = document
        for name in node["$ref"].split("/")[1:]:
            found = found[name]
        node = found
    # A reference beside a default is written as `allOf` of one.
    if len(node.get("allOf", ())) == 1:
        return {**node, **_resolved(document, node["allOf"][0])}
    # One that may be null, as a choice: the same as a type of two.
    match [choice for choice in _choices(node) if choice != _NULL]:
        case [only] if _NULL in _choices(node):
            found = _resolved(document, only)
            if "type" in found and "properties" not in found:
                return {**found, "type": sorted({*_types(found), "null"})}
    return node


def _types(schema: Schema) -> set[str]:
    """The JSON types that a schema allows; an integer is a number."""
    if choices := _choices(schema):
        # Those of references are compared one by one.
        named = [choice for choice in choices if "type" in choice]
        return {name for choice in named for name in _types(choice)}
    types = schema.get("type", ())
    return {types} if isinstance(types, str) else set(types)


def _choices(schema: Schema) -> list[Schema]:
    return [*schema.get("anyOf", ()), *schema.get("oneOf", ())]


def _tightened(old: Schema, new: Schema, where: str) -> Iterator[str]:
    for word, larger_is_tighter in _BOUNDS.items():
        if word not in new or new[word] == old.get(word):
            continue
        is_looser = word in old and (new[word] < old[word]) is larger_is_tighter
        if not is_looser:
            yield f"{where}: {word} is now {new[word]}"
    for word in ("pattern", "format"):
        if word not in new or new[word] == old.get(word) or new[word] in _NUMBERS:
            continue
        # A list of values that became a pattern which all of them have.
        values = [value for value in old.get("enum", ()) if value is not None]
        has_all = values and all(re.search(new[word], value) for value in values)
        if word == "pattern" and has_all:
            continue
        yield f"{where}: {word} is now {new[word]}"
    if new.get("additionalProperties") is False is not old.get("additionalProperties"):
        yield f"{where}: takes no other fields any more"


if __name__ == "__main__":
    found = since_last_release()
    print("\n".join(found))
    sys.exit(bool(found))
