"""The OpenAPI document explains every field and parameter, and shows every answer."""

import json
import re

import pytest

from krafter.openapi import pages
from tests import curl
from tests.contract.responses import resolved, validator
from tests.krafter.test_docs import EXAMPLES
from tests.krafter.test_openapi import IDS, OPERATIONS

COMPONENTS = pages.document()["components"]["schemas"]


def is_described(field):
    return "description" in field or (
        "$ref" in field and "description" in resolved(field)
    )


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_field_is_described(name):
    for field, schema in COMPONENTS[name].get("properties", {}).items():
        assert is_described(schema), (
            f"{field}: describe it, or put it in goals/words.py"
        )


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=IDS)
def test_every_parameter_is_described(operation):
    for parameter in operation.get("parameters", []):
        assert parameter.get("description"), f"{parameter['name']}: see goals/words.py"


def shown(media):
    if "example" in media:
        return [media["example"]]
    return [example["value"] for example in media.get("examples", {}).values()]


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=IDS)
def test_every_operation_shows_an_answer_and_an_error(operation):
    found = set()
    for status, answer in operation["responses"].items():
        content = resolved(answer).get("content", {})
        media = content.get("application/json") or {}
        lines = content.get("application/x-ndjson", {}).get("example")
        if isinstance(lines, str):
            found.add(status[0])
            assert all(map(json.loads, lines.splitlines()))
        for example in shown(media):
            found.add(status[0])
            errors = list(validator(media["schema"]["$ref"]).iter_errors(example))
            assert not errors, f"{status}: {errors[0].message}; see goals/examples.py"
    assert "2" in found
    assert "4" in found


@pytest.mark.parametrize(("line", "status", "answer"), EXAMPLES)
def test_examples_have_the_fields_of_those_in_the_docs(line, status, answer):
    sent = curl.parse(line)
    path = sent.path.partition("?")[0]
    operation = next(
        operation
        for (method, template), operation in OPERATIONS.items()
        if method == sent.method
        and re.fullmatch(re.escape(template).replace(r"\{\}", "[^/]+"), path)
    )
    if not status.startswith("2") or "debug" in line:
        return
    media = operation["responses"][status]["content"]["application/json"]
    documented = json.loads(answer)
    for example in shown(media):
        assert keys(example) == keys(documented)


def keys(answer):
    """The names of an answer's fields; of its first row where it is a list."""
    data = answer.get("data", answer)
    row = data[0] if isinstance(data, list) and data else data
    return list(row) if isinstance(row, dict) else []
