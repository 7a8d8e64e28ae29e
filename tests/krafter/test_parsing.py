"""Which JSON is taken, whatever the version of Python."""

import io

import pytest
from rest_framework.exceptions import ParseError

from krafter.parsing import MAX_DEPTH, StrictJSONParser


def parse(body):
    return StrictJSONParser().parse(io.BytesIO(body))


def nested(opened, closed, depth):
    """An object of this depth, itself counted."""
    return b'{"a":' + opened * (depth - 1) + b"1" + closed * (depth - 1) + b"}"


@pytest.mark.parametrize(("opened", "closed"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_is_taken_up_to_a_depth(opened, closed):
    assert parse(nested(opened, closed, MAX_DEPTH))["a"]
    for depth in (MAX_DEPTH + 1, 5_000, 100_000):
        with pytest.raises(ParseError, match="Malformed JSON"):
            parse(nested(opened, closed, depth))


def test_width_is_no_depth():
    assert len(parse(b'{"a":[' + b"[]," * 10_000 + b"[]]}")["a"]) == 10_001
