"""Cursors of paged lists: exact to the microsecond, and safe to be made up."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.questions import cursors
from krafter.errors import Invalid

MOMENTS = st.integers(0, 10**16).map(
    lambda microseconds: (
        datetime(1990, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    )
)


@given(MOMENTS, st.integers(1, 2**63 - 1))
def test_every_event_can_be_pointed_at(at, pk):
    assert cursors.read(cursors.write(at, pk)) == (at, pk)


def coded(content):
    return urlsafe_b64encode(content).decode()


@pytest.mark.parametrize(
    "text",
    ["x", "ä", coded(b"1"), coded(b"1 x"), coded(b"\xff 1"), coded(b"9" * 30 + b" 1")],
)
def test_anything_else_is_refused(text):
    with pytest.raises(Invalid):
        cursors.read(text)


def test_no_cursor_is_the_beginning():
    assert cursors.read(None) is None
