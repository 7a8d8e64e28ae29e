"""The label parameters of a query: `country=DE,FR`, `device=!Mobile`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.events import Where
from analytics.questions.filters import LABELS, FilterQuerySerializer, parse, where


@pytest.mark.parametrize(
    ("text", "values", "negated"),
    [
        ("DE", ("DE",), False),
        ("DE,FR", ("DE", "FR"), False),
        ("!DE", ("DE",), True),
        ("!DE,FR", ("DE", "FR"), True),
        (r"!DE,\!FR", ("DE", "!FR"), True),
        ("DE!,F!R", ("DE!", "F!R"), False),
        ("(none)", ("",), False),
        ("!(none)", ("",), True),
        ("DE,(none)", ("DE", ""), False),
        (r"\(none)", ("(none)",), False),
        (r"\!DE", ("!DE",), False),
        (r"a\,b,c", ("a,b", "c"), False),
        (r"a\\,b", ("a\\", "b"), False),
        (" spring sale ", (" spring sale ",), False),
        ("a\nb", ("a\nb",), False),
    ],
)
def test_text_is_taken_apart(text, values, negated):
    assert parse("country", text) == Where("country", values, negated)


@pytest.mark.parametrize(
    "text",
    ["", "!", ",", "DE,", ",DE", "DE,,FR", "DE\\", "!!DE", "!DE,!FR", "DE,!FR"],
)
def test_empty_value_or_second_negation_is_refused(text):
    with pytest.raises(ValueError, match="separated by commas"):
        parse("country", text)


@given(st.lists(st.text(), min_size=1), st.booleans())
def test_every_value_can_be_named(values, negated):
    escaped = ["".join("\\" + c for c in value) or "(none)" for value in values]
    text = "!" * negated + ",".join(escaped)
    assert parse("os", text) == Where("os", tuple(values), negated)


def test_query_becomes_filters_in_the_order_of_the_labels():
    asked = FilterQuerySerializer(data={"os": "!Linux", "country": "DE,FR"})
    assert asked.is_valid()
    assert where(asked.validated_data) == (
        Where("country", ("DE", "FR")),
        Where("os", ("Linux",), negated=True),
    )


def test_every_label_of_a_context_can_be_asked_for():
    assert tuple(FilterQuerySerializer().fields) == LABELS
    assert len(LABELS) == 8


@pytest.mark.parametrize("text", ["", ",", "a\0b", "x" * 4_097, "\ud800"])
def test_malformed_filter_is_refused(text):
    asked = FilterQuerySerializer(data={"utm_source": text})
    assert not asked.is_valid()
    assert list(asked.errors) == ["utm_source"]
