"""Msgspec types as schemas of the OpenAPI document.

The struct that builds a response or reads a body also describes it. msgspec derives the
JSON schema; this module converts it to the style of the rest of the document, which
client generators read best.
"""

import re
from inspect import cleandoc
from typing import get_args, get_origin

import msgspec

from krafter.openapi.operations import PREFIX, Schema

_NULL: Schema = {"type": "null"}
# How a number is written in JSON, see `krafter.rendering`.
_DECIMAL = {"type": "string", "format": "decimal"}


def is_struct(type_: object) -> bool:
    """Whether this is a struct, or a list of one."""
    if get_origin(type_) is list:
        return is_struct(get_args(type_)[0])
    type_ = get_origin(type_) or type_
    return isinstance(type_, type) and issubclass(type_, msgspec.Struct)


def described(type_: object) -> tuple[Schema, dict[str, Schema]]:
    """The schema of a type, and the components that it refers to, by name."""
    (schema,), components = msgspec.json.schema_components(
        [type_], ref_template=f"{PREFIX}{{name}}"
    )
    return _tidy(schema), {
        _name(name): _tidy(content) for name, content in components.items()
    }


def _name(name: str) -> str:
    """`Event` for a class EventAnswer, `EventPage` for a Page[EventAnswer]."""
    if generic := re.fullmatch(r"(\w+?)_(\w+)_", name):
        return f"{_name(generic[2])}{generic[1]}"
    return name.removesuffix("Answer")


def _tidy(schema: Schema) -> Schema:
    return _ordered(_translated({**schema}))


def _ordered(schema: Schema) -> Schema:
    """Order the keywords like the rest of the document: those of a value before its
    contents.
    """
    return {**{word: schema[word] for word in _FIRST if word in schema}, **schema}


_FIRST = ("type", "format", "minLength", "maxLength", "pattern", "description")


def _translated(schema: Schema) -> Schema:
    schema.pop("title", None)
    if schema.get("default", "") is None:
        del schema["default"]
    if schema.items() >= _DECIMAL.items():
        del schema["format"]
        schema["type"] = "number"
    elif schema == {"type": "number"}:
        schema["format"] = "double"
    if "description" in schema:
        schema["description"] = cleandoc(schema["description"])
    if schema.get("type") == "array":
        schema.setdefault("items", {})
    if schema == {"type": "object"}:
        schema["additionalProperties"] = {}
    if "propertyNames" in schema:
        schema["propertyNames"] = {"type": "string", **schema["propertyNames"]}
    if "enum" in schema:
        # A type with one or several literal values.
        schema["type"] = "string"
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict):
            schema[inner] = _tidy(schema[inner])
    if "properties" in schema:
        properties = {
            name: _tidy(content) for name, content in schema["properties"].items()
        }
        # A field that is always null is there to tell one body from another, and
        # some generators know no such type.
        schema["properties"] = {
            name: content for name, content in properties.items() if content != _NULL
        }
        if not schema.get("required"):
            schema.pop("required", None)
    if "anyOf" in schema or "$ref" in schema:
        # A schema given on the field replaces that of its Python type.
        schema.pop("type", None)
    if "anyOf" in schema:
        return _any_of(schema.pop("anyOf"), schema)
    if "$ref" in schema:
        return _reference(schema)
    return schema


def _reference(schema: Schema) -> Schema:
    place = f"{PREFIX}{_name(schema['$ref'].removeprefix(PREFIX))}"
    # Beside a reference there is at most a description.
    if "description" in schema:
        return {"allOf": [{"$ref": place}], "description": schema["description"]}
    return {"$ref": place}


def _any_of(choices: list[Schema], beside: Schema) -> Schema:
    choices = [_tidy(choice) for choice in choices]
    values = [choice for choice in choices if choice != _NULL]
    if len(values) == 1 and _NULL in choices:
        (value,) = values
        if "anyOf" in value:
            return {**value, "anyOf": [*value["anyOf"], _NULL], **beside}
        if "$ref" in value:
            return {"oneOf": [value, _NULL], **beside}
        return {**value, **beside, "type": [value["type"], "null"]}
    # JSON has one kind of numbers.
    choices = [choice for choice in choices if choice != {"type": "integer"}]
    for choice in choices:
        if choice == {"type": "number", "format": "double"}:
            del choice["format"]
    if all(choice.keys() == {"type"} for choice in choices):
        return {"type": [choice["type"] for choice in choices], **beside}
    return {"anyOf": choices, **beside}
