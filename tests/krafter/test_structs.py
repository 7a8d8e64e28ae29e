"""Structs as the OpenAPI document describes them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType

from krafter.answers import Moment, Page
from krafter.openapi.structs import described, is_struct


class ThingAnswer(msgspec.Struct):
    first: date = msgspec.field(name="from")


EITHER = [{"type": "number", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+$"}]
THING = {"$ref": "#/components/schemas/Thing"}


@pytest.mark.parametrize(
    ("type_", "schema"),
    [
        (int, {"type": "integer"}),
        (float, {"type": "number", "format": "double"}),
        (Decimal, {"type": "number"}),
        (Decimal | None, {"type": ["number", "null"]}),
        (UUID | None, {"type": ["string", "null"], "format": "uuid"}),
        (date, {"type": "string", "format": "date"}),
        (Moment, {"type": "string", "format": "date-time"}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (
            str | int | float | bool | None,
            {"type": ["string", "number", "boolean", "null"]},
        ),
        (dict[str, Any], {"type": "object", "additionalProperties": {}}),
        (list[Any], {"type": "array", "items": {}}),
        (ThingAnswer, THING),
        (ThingAnswer | None, {"oneOf": [THING, {"type": "null"}]}),
        (
            Annotated[ThingAnswer | UnsetType, Meta(description="Why.")],
            {"allOf": [THING], "description": "Why."},
        ),
        (
            Annotated[str, Meta(extra_json_schema=THING)] | None,
            {"oneOf": [THING, {"type": "null"}]},
        ),
        (
            Annotated[Decimal, Meta(extra_json_schema={"anyOf": EITHER})] | None,
            {"anyOf": [*EITHER, {"type": "null"}]},
        ),
    ],
    ids=str,
)
def test_field_is_said_in_the_words_of_the_document(type_, schema):
    struct = msgspec.defstruct("Holder", [("field", type_)])
    _, components = described(struct)
    assert components["Holder"]["properties"] == {"field": schema}


def test_component_is_named_for_the_struct_and_has_the_names_of_the_wire():
    schema, components = described(list[ThingAnswer])
    assert schema == {"type": "array", "items": THING}
    assert components == {
        "Thing": {
            "type": "object",
            "properties": {"from": {"type": "string", "format": "date"}},
            "required": ["from"],
        }
    }


def test_page_is_named_for_what_it_is_a_page_of():
    schema, components = described(Page[ThingAnswer])
    assert schema == {"$ref": "#/components/schemas/ThingPage"}
    assert components.keys() == {"ThingPage", "Thing"}
    assert components["ThingPage"]["properties"]["data"]["items"] == THING


def test_unset_member_is_not_required_and_null_alone_is_not_said():
    fields: list[Any] = [
        ("always", int),
        ("asked", int | UnsetType, UNSET),
        ("never", None, None),
    ]
    _, components = described(msgspec.defstruct("Holder", fields))
    assert components["Holder"]["required"] == ["always"]
    assert components["Holder"]["properties"].keys() == {"always", "asked"}


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        (ThingAnswer, True),
        (list[ThingAnswer], True),
        (Page[ThingAnswer], True),
        (dict[str, ThingAnswer], False),
        (datetime, False),
        (ThingAnswer(date.min), False),
        (None, False),
    ],
    ids=str,
)
def test_only_structs_and_lists_of_them_are_described(type_, expected):
    assert is_struct(type_) is expected
