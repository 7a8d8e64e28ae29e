"""Additions to the OpenAPI document that client generators need.

They apply to the whole document, so a new operation needs no special care.
"""

import re
from collections.abc import Iterator
from typing import Any

from krafter.openapi.operations import Schema

# Without these, Go and C# read whole numbers into 32 bits, and Go reads amounts into
# a float of 24 bits, which has no cents above 100,000.
_INT32_MAX = 2**31 - 1
# Names of enum constants whose value in capitals is not a valid identifier.
_NAMES = {
    "*": "EVERYTHING",
    "7d": "LAST_7_DAYS",
    "30d": "LAST_30_DAYS",
    "12mo": "LAST_12_MONTHS",
}
_BESIDE_ENUM = ("minLength", "maxLength", "pattern")


def complete(result: Schema, **_: object) -> Schema:
    """drf-spectacular's hook: formats of numbers, names of choices, order."""
    for schema in _schemas(result):
        _say_format(schema)
        _name_choices(schema)
    for path, methods in result["paths"].items():
        for operation in methods.values():
            _order_parameters(path, operation)
            # An explicit empty requirement, so that generators see a public operation.
            operation.setdefault("security", [])
    return result


def _schemas(node: Any) -> Iterator[Schema]:
    """Yield all objects of the document but examples; those with a type are schemas."""
    if isinstance(node, dict):
        yield node
        for word, value in node.items():
            if word not in ("example", "examples"):
                yield from _schemas(value)
    elif isinstance(node, list):
        for item in node:
            yield from _schemas(item)


def _say_format(schema: Schema) -> None:
    said = schema.get("type", ())
    types = [said] if isinstance(said, str) else list(said)
    match [type_ for type_ in types if type_ != "null"]:
        case ["integer"]:
            is_small = schema.get("maximum", _INT32_MAX + 1) <= _INT32_MAX
            schema["format"] = "int32" if is_small else "int64"
        case ["number"]:
            schema["format"] = "double"


def _name_choices(schema: Schema) -> None:
    values = schema.get("enum")
    if not isinstance(values, list):
        return
    for word in _BESIDE_ENUM:
        schema.pop(word, None)
    if all(isinstance(value, str) for value in values):
        names = [constant(value) for value in values]
        if any(
            value != name.lower() for value, name in zip(values, names, strict=True)
        ):
            schema["x-enum-varnames"] = names


def constant(value: str) -> str:
    """Return a name for a value that is valid in every language: ANALYTICS_READ."""
    if value.startswith("-"):
        return f"{constant(value[1:])}_DESCENDING"
    return _NAMES.get(value) or re.sub(r"\W+", "_", value).strip("_").upper()


def _order_parameters(path: str, operation: Schema) -> None:
    """Put path parameters first, in their order in the path: generators make them
    arguments.
    """
    if "parameters" in operation:
        in_path = re.findall(r"\{(\w+)\}", path)
        operation["parameters"].sort(
            key=lambda parameter: (
                in_path.index(parameter["name"])
                if parameter["in"] == "path"
                else len(in_path) + (parameter["in"] == "header")
            )
        )
