"""The label parameters of a query: `country=DE,FR`, `device=!Mobile`."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.events import Where
from analytics.models import Site
from analytics.questions.filters import (
    LABELS,
    FilterQuerySerializer,
    LabelField,
    PropsField,
    filters,
    parse,
)
from krafter.errors import Invalid


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
        (r"a\*", ("a*",), False),
        (r"\*,b\*c", ("*", "b*c"), False),
    ],
)
def test_text_is_taken_apart(text, values, negated):
    assert parse("os", text) == Where("os", values, negated)


@pytest.mark.parametrize(
    ("text", "values", "prefixes"),
    [
        ("/blog/*", (), ("/blog/",)),
        ("/a,/blog/*,/b*", ("/a",), ("/blog/", "/b")),
        ("*", (), ("",)),
        ("*,(none)", ("",), ("",)),
        (r"a\**", (), ("a*",)),
        (r"a\\*", (), ("a\\",)),
        (r"a\,*", (), ("a,",)),
        ("(none)*", (), ("(none)",)),
    ],
)
def test_star_at_the_end_is_any_end(text, values, prefixes):
    assert parse("path", text) == Where("path", values, prefixes=prefixes)


@pytest.mark.parametrize(
    ("where", "passing"),
    [
        (Where("path", ("/a",)), {"/a"}),
        (Where("path", ("/a", "")), {"/a", ""}),
        (Where("path", ("/a",), negated=True), {"/b", "/bc", ""}),
        (Where("path", (), prefixes=("/b",)), {"/b", "/bc"}),
        (Where("path", (), prefixes=("",)), {"/a", "/b", "/bc"}),
        (Where("path", (), negated=True, prefixes=("",)), {""}),
    ],
)
def test_what_passes(where, passing):
    assert {each for each in ("/a", "/b", "/bc", "") if where.passes(each)} == passing


@pytest.mark.parametrize(
    "text",
    [
        *("", "!", ",", "DE,", ",DE", "DE,,FR", "DE\\", "!!DE", "!DE,!FR", "DE,!FR"),
        *("a*b", "**", "*a", "a*,*b", "a\0", "\\\0"),
    ],
)
def test_empty_value_or_second_negation_is_refused(text):
    with pytest.raises(ValueError, match="separated by commas"):
        parse("country", text)


_TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"))


@given(st.lists(_TEXT, min_size=1), st.booleans())
def test_every_value_can_be_named(values, negated):
    escaped = ["".join("\\" + c for c in value) or "(none)" for value in values]
    text = "!" * negated + ",".join(escaped)
    assert parse("os", text) == Where("os", tuple(values), negated)


def test_query_becomes_filters_in_the_order_of_the_labels():
    asked = FilterQuerySerializer(data={"os": "!Linux", "country": "DE,FR"})
    assert asked.is_valid()
    assert filters(asked.validated_data, Site()).where == (
        Where("country", ("DE", "FR")),
        Where("os", ("Linux",), negated=True),
    )


def test_every_label_of_a_context_can_be_asked_for():
    fields = tuple(FilterQuerySerializer().fields)
    assert fields == ("attribution", *LABELS, "path", "name", "props")
    assert len(LABELS) == 12


@pytest.mark.parametrize(
    ("text", "wheres"),
    [
        ("plan=pro", [Where("props.plan", ("pro",))]),
        (
            "plan=!pro,Pro&seats=3*",
            [
                Where("props.plan", ("pro", "Pro"), negated=True),
                Where("props.seats", (), prefixes=("3",)),
            ],
        ),
        ("a=(none)&a=*", [Where("props.a", ("",)), Where("props.a", (), False, ("",))]),
        (r"a\=b\&\\c=d=\&e\,", [Where("props.a=b&\\c", ("d=&e,",))]),
        ("utm=1=2", [Where("props.utm", ("1=2",))]),
    ],
)
def test_properties_are_one_parameter_too(text, wheres):
    asked = FilterQuerySerializer(data={"props": text})
    assert asked.is_valid(), asked.errors
    assert filters(asked.validated_data, Site()).where == tuple(wheres)
    assert re.search(PropsField.pattern, text)


def test_both_ways_of_properties_hold_together():
    asked = FilterQuerySerializer(data={"props": "a=1", "props.b": "2"})
    assert asked.is_valid()
    expected = (Where("props.a", ("1",)), Where("props.b", ("2",)))
    assert filters(asked.validated_data, Site()).where == expected


@given(st.lists(st.tuples(_TEXT.filter(bool), _TEXT), min_size=1, max_size=5))
def test_every_property_can_be_named(pairs):
    def escaped(text):
        return "".join("\\" + c for c in text)

    text = "&".join(f"{escaped(k)}={escaped(v) or '(none)'}" for k, v in pairs)
    assert PropsField(trim_whitespace=False).run_validation(text) == tuple(
        Where(f"props.{key}", (value,)) for key, value in pairs
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plan",
        "=pro",
        "plan=",
        "a=b&",
        "a=b&c",
        "a=,",
        "a=!",
        "a=b*c",
        "a\\",
        "a=b\\",
    ],
)
def test_malformed_properties_are_refused(text):
    asked = FilterQuerySerializer(data={"props": text})
    assert not asked.is_valid()
    assert list(asked.errors) == ["props"]
    assert not re.search(PropsField.pattern, text)


@pytest.mark.parametrize("text", ["", ",", "a\0b", "x" * 4_097, "\ud800"])
def test_malformed_filter_is_refused(text):
    asked = FilterQuerySerializer(data={"utm_source": text})
    assert not asked.is_valid()
    assert list(asked.errors) == ["utm_source"]


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("country", "Germany", "DE"),
        ("country", "de", "DE"),
        ("country", "!ZZ", "DE"),
        ("country", "DE,1*", "DE"),
        ("device", "Phone", "Mobile"),
        ("device", "mobile", "Mobile"),
        ("name", "(none)", "Every event has a name"),
        ("props.", "x", "1 to 1024 characters"),
        ("props." + "x" * 1_025, "x", "1 to 1024 characters"),
        ("props.a", ",", "separated by commas"),
        ("props.a", "", "blank"),
    ],
)
def test_value_that_cannot_be_is_refused_with_those_there_are(name, text, word):
    asked = FilterQuerySerializer(data={name: text})
    assert not asked.is_valid()
    assert list(asked.errors) == [name]
    assert word in str(asked.errors[name])


@pytest.mark.parametrize("text", ["DE", "!FR", "(none)", "D*", "*"])
def test_value_that_may_be_is_taken(text):
    assert FilterQuerySerializer(data={"country": text}).is_valid()


@pytest.mark.parametrize(
    ("text", "is_there"),
    [
        ("Search", True),
        ("search", True),
        ("!Paid*", True),
        ("partners", True),
        ("Ads", False),
        ("(none)", False),
        ("X*", False),
    ],
)
def test_channels_are_those_of_the_site(text, is_there):
    site = Site(channels=[{"channel": "Partners", "utm_source": "x"}])
    asked = FilterQuerySerializer(data={"channel": text})
    assert asked.is_valid()
    if is_there:
        assert filters(asked.validated_data, site).where
    else:
        with pytest.raises(Invalid) as error:
            filters(asked.validated_data, site)
        assert "Partners, Search" in str(error.value.details)


@pytest.mark.parametrize("text", [",", ",a", "a*b", "!", "a,", "a", "!a,b*", r"\*"])
def test_schema_says_the_syntax(text):
    """As a client reads it: the pattern in the document takes what the API takes."""
    takes = re.search(LabelField.pattern, text) is not None
    assert takes is FilterQuerySerializer(data={"referrer": text}).is_valid()
