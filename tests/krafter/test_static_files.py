"""Static files with a digest in their names."""

import gzip
import re

import pytest
from django.templatetags.static import static
from django.test import Client

from krafter import static_files

# What is not found is told by a page, which looks who asks.
pytestmark = pytest.mark.django_db

STYLES = "goals/pages.css"


@pytest.fixture
def client():
    return Client()


def test_name_has_a_digest_and_is_kept_for_a_year(client):
    url = static(STYLES)
    assert re.fullmatch(r"/static/goals/pages\.[0-9a-f]{12}\.css", url)
    response = client.get(url)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/css; charset=utf-8"
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert b"color-scheme" in response.content


def test_it_is_compressed_for_who_takes_it(client):
    plain = client.get(static(STYLES))
    packed = client.get(static(STYLES), headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert len(packed.content) < len(plain.content) / 2


def test_other_digest_is_not_found(client):
    digest = static(STYLES).split(".")[-2]
    other = static(STYLES).replace(digest, "0" * 12)
    assert client.get(other).status_code == 404


@pytest.mark.parametrize(
    "name",
    [
        "../../pyproject.000000000000.toml",
        "goals/../../settings.000000000000.py",
        "%00.000000000000.css",
        "x" * 5_000 + ".000000000000.css",
    ],
)
def test_nothing_else_is_served(client, name):
    assert client.get(f"/static/{name}").status_code == 404


def test_names_that_are_no_files_are_not_remembered(client):
    before = len(static_files._paths)
    client.get("/static/goals/missing.000000000000.css")
    assert static("goals/missing.css") == "/static/goals/missing.css"
    assert len(static_files._paths) == before


def test_only_reading(client):
    assert client.post(static(STYLES)).status_code == 405


def test_plain_name_stays(client):
    response = client.get(f"/static/{STYLES}")
    response.close()
    assert response.status_code == 200
    assert "immutable" not in response.headers["Cache-Control"]
