"""Whether an answer is one that the OpenAPI document describes.

Stricter than the document: there an object may gain keys some day, here a key that
it does not name is a mistake.
"""

import gzip
import json
import re
from functools import cache
from typing import Any

import jsonschema_rs
from django.test import Client

from krafter.openapi import pages
from krafter.openapi.operations import Schema
from krafter.rendering import API_PREFIX

# What errors must carry. The headers of the limits are missing where it is off.
REQUIRED_HEADERS = ("WWW-Authenticate", "Retry-After")


class CheckedClient(Client):
    """Django's test client, which fails on what the document does not describe."""

    def generic(self, *args: Any, **kwargs: Any) -> Any:
        response = super().generic(*args, **kwargs)
        method, path = args[:2]
        # A test may look on while a server fails, or follow a redirect.
        if path.startswith(API_PREFIX):
            check(method, path.partition("?")[0], response)
        return response


def check(method: str, path: str, response: Any) -> None:
    """Raise AssertionError unless the document describes the response."""
    methods = operations(path)
    if methods is None:
        return
    if method == "OPTIONS":
        assert response.status_code == 204
        return
    operation = methods.get("get" if method == "HEAD" else method.lower())
    if operation is None:
        # Some errors come before the method is looked at.
        assert response.status_code in (401, 405, 406, 429, 503), response.status_code
        return
    name, status = operation["operationId"], str(response.status_code)
    described = operation["responses"].get(status)
    assert described, f"{name} does not describe a {status}"
    check_described(name, status, resolved(described), response, method)


def check_described(
    name: str, status: str, described: Schema, response: Any, method: str
) -> None:
    for header in REQUIRED_HEADERS:
        if header in described.get("headers", {}):
            assert header in response.headers, f"a {status} of {name} lacks {header}"
    if method == "HEAD" or not described.get("content"):
        return
    media_type = response.headers["Content-Type"].partition(";")[0]
    assert media_type in described["content"], f"{name} answers {media_type}"
    if media_type != "application/json":
        return
    schema = described["content"][media_type]["schema"]
    content = response.content
    if response.headers.get("Content-Encoding") == "gzip":
        content = gzip.decompress(content)
    errors = validator(schema["$ref"]).iter_errors(json.loads(content))
    error = next(errors, None)
    assert error is None, f"a {status} of {name}: {error}"


def operations(path: str) -> Schema | None:
    """The operations of a path by method; those without a placeholder first."""
    for pattern, methods in patterns():
        if pattern.fullmatch(path):
            return methods
    return None


@cache
def patterns() -> list[tuple[re.Pattern[str], Schema]]:
    paths = pages.document()["paths"]
    return [
        (re.compile(re.sub(r"\{[^}]*\}", "[^/]+", path)), paths[path])
        for path in sorted(paths, key=lambda path: path.count("{"))
    ]


def resolved(node: Schema) -> Schema:
    for name in node.get("$ref", "").split("/")[1:]:
        node = (pages.document() if name == "components" else node)[name]
    return node


@cache
def validator(reference: str) -> jsonschema_rs.Draft202012Validator:
    components = strict(pages.document()["components"])
    return jsonschema_rs.Draft202012Validator(
        {"$ref": reference, "components": components}, validate_formats=True
    )


def strict(node: Any) -> Any:
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    tightened = {name: strict(value) for name, value in node.items()}
    if node.get("type") == "object" and isinstance(node.get("properties"), dict):
        tightened.setdefault("additionalProperties", False)
    return tightened
