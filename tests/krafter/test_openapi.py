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
        assert "security" not in operation
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
    # Those whose values only an answer or another goal can give have no row.
    assert described - {"cursor", "of"} == route.params.keys()


@pytest.mark.parametrize("extension", ["json", "yaml"])
def test_document_is_served(extension):
    response = Client().get(f"/api/v1/openapi.{extension}")
    assert response.headers["Content-Type"] == f"application/{extension}"
    # JSON is YAML as well.
    assert yaml.safe_load(response.content) == yaml.safe_load(COMMITTED.read_bytes())


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
