"""The OpenAPI document: equal to the committed one, and true of the code."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from krafter.openapi import pages
from tests.routes import DOCUMENTS, PUBLIC, ROUTES, labels

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.yaml"
OPERATIONS = {
    (method.upper(), re.sub(r"\{[^}]*\}", "{}", path)): operation
    for path, methods in pages.document()["paths"].items()
    for method, operation in methods.items()
}
IDS = [operation["operationId"] for operation in OPERATIONS.values()]
API = [route for route in ROUTES if route.path not in DOCUMENTS]


def place(route):
    return route.method, re.sub(r"\{[^}]*\}", "{}", route.url_template)


def test_committed_document_is_the_generated_one():
    assert COMMITTED.read_bytes() == pages.rendered_yaml(), "run make schema"


def test_document_is_valid_and_made_without_a_warning():
    validate_schema(SchemaGenerator().get_schema(public=True))
    assert not GENERATOR_STATS


def test_every_route_is_an_operation():
    assert OPERATIONS.keys() == {place(route) for route in API}


def test_operation_ids_are_unique_and_readable():
    assert len(set(IDS)) == len(IDS)
    assert {"goals_create", "goals_list", "goals_stats", "collect"} <= set(IDS)
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", name) for name in IDS)


@pytest.mark.parametrize("route", API, ids=labels(API))
def test_scope_of_an_operation_is_that_of_its_route(route):
    operation = OPERATIONS[place(route)]
    if route.scope == PUBLIC:
        assert operation["security"] == []
    else:
        assert operation["security"] == [{"apiKey": [route.scope]}]
        assert f"Required scope: `{route.scope}`." in operation["description"]


@pytest.mark.parametrize("route", API, ids=labels(API))
def test_parameters_of_an_operation_are_those_of_its_route(route):
    described = {
        parameter["name"]
        for parameter in OPERATIONS[place(route)].get("parameters", [])
        if parameter["in"] == "query"
    }
    # Those whose values only an answer or another goal can give have no row, nor
    # have those that JSON refuses, being of CSV alone.
    apart = {"cursor", "after", "of", "delimiter", "bom"}
    assert described - apart == route.params.keys()


# What generators of clients need


def schemas(node=None):
    """All schemas of the document that have a type or a list of values."""
    node = pages.document() if node is None else node
    if isinstance(node, dict):
        if "type" in node or "enum" in node:
            yield node
        for word, value in node.items():
            if word not in ("example", "examples"):
                yield from schemas(value)
    elif isinstance(node, list):
        for item in node:
            yield from schemas(item)


def types(schema):
    said = schema.get("type", [])
    return {said} - {"null"} if isinstance(said, str) else set(said) - {"null"}


def test_numbers_say_how_many_bits_they_need():
    for schema in schemas():
        if types(schema) == {"integer"}:
            small = schema.get("maximum", 2**31) < 2**31
            assert schema["format"] == ("int32" if small else "int64"), schema
        if types(schema) == {"number"}:
            assert schema["format"] == "double", schema


def test_choices_have_names_that_every_language_takes():
    for schema in schemas():
        if not isinstance(schema.get("enum"), list):
            continue
        assert not {"minLength", "maxLength", "pattern"} & schema.keys(), schema
        names = schema.get("x-enum-varnames") or [
            value.upper() for value in schema["enum"]
        ]
        assert len(set(names)) == len(schema["enum"])
        assert all(re.fullmatch("[A-Z][A-Z0-9_]*", name) for name in names), names


def test_currencies_are_no_closed_list():
    for schema in schemas():
        assert "USD" not in schema.get("enum", [])


def test_names_of_schemas_are_free_in_every_language():
    names = set(pages.document()["components"]["schemas"])
    # Go makes NewGoal to build a Goal; the rest are classes of the generated code.
    assert not {name for name in names if name.removeprefix("New") in names - {name}}
    assert not names & RESERVED
    folded = {name.casefold() for name in names}
    assert len(folded) == len(names), "file systems that ignore case have one file"


RESERVED = {
    *("ApiClient", "ApiError", "ApiException", "ApiResponse", "Client"),
    *("Configuration", "Date", "Error", "Exception", "File", "List", "Map", "Model"),
    *("Object", "Option", "Optional", "Request", "Response", "Result", "Set"),
    *("String", "Type", "Union", "Unset"),
}


@pytest.mark.parametrize(("place", "operation"), OPERATIONS.items(), ids=IDS)
def test_arguments_come_in_the_order_of_the_path(place, operation):
    places = [parameter["in"] for parameter in operation.get("parameters", [])]
    assert places == sorted(places, key=["path", "query", "header"].index)
    path = next(
        p
        for p in pages.document()["paths"]
        if re.sub(r"\{[^}]*\}", "{}", p) == place[1]
    )
    in_path = [
        parameter["name"]
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "path"
    ]
    assert in_path == re.findall(r"\{(\w+)\}", path)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=IDS)
def test_body_that_is_plain_text_is_a_text(operation):
    content = operation.get("requestBody", {}).get("content", {})
    # Pages of an export are lines, and nothing else.
    assert list(content)[:1] in ([], ["application/json"]) or list(content) == [
        "application/x-ndjson"
    ]
    for media_type, body in content.items():
        if media_type == "application/x-ndjson" or not media_type.endswith("json"):
            assert body["schema"]["type"] == "string"


def test_document_says_where_it_is_and_whose():
    document = pages.document()
    assert document["servers"] == [{"url": "https://app.krafter.dev"}]
    assert document["info"]["license"] == {"name": "MIT", "identifier": "MIT"}
    declared = {tag["name"] for tag in document["tags"]}
    used = {tag for operation in OPERATIONS.values() for tag in operation["tags"]}
    assert declared == used, "name it in SPECTACULAR_SETTINGS, with a description"


@pytest.mark.parametrize("extension", ["json", "yaml"])
def test_document_is_served(extension):
    response = Client().get(f"/api/v1/openapi.{extension}")
    assert response.headers["Content-Type"] == f"application/{extension}"
    # JSON is YAML as well.
    served = yaml.safe_load(response.content)
    assert served.pop("servers") == [{"url": "http://testserver"}]
    committed = yaml.safe_load(COMMITTED.read_bytes())
    assert served["paths"] == committed["paths"]
    assert served["components"] == committed["components"]


def test_page_takes_everything_from_its_own_host():
    response = Client().get("/api/v1/docs")
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    addresses = re.findall(rb'(?:src|href)="([^"]*)"', response.content)
    assert len(addresses) >= 3
    for address in addresses:
        assert address.startswith(b"/static/")


def test_concurrent_first_requests_generate_the_document_once(monkeypatch):
    generated = []

    class Generator(SchemaGenerator):
        def get_schema(self, *args, **kwargs):
            generated.append(1)
            return super().get_schema(*args, **kwargs)

    monkeypatch.setattr(pages, "SchemaGenerator", Generator)
    pages._document.cache_clear()
    with ThreadPoolExecutor(8) as threads:
        documents = list(threads.map(lambda _: pages.document(), range(8)))
    assert len(generated) == 1
    assert all(document is documents[0] for document in documents)
