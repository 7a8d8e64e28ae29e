"""A pattern of the document allows what its field accepts, character by character."""

import re
import sys
import unicodedata
from typing import Any

import pytest
from rest_framework.exceptions import ValidationError

from analytics.access.serializers import TokenSerializer
from analytics.sites.serializers import (
    ChannelSerializer,
    SiteSerializer,
    SiteSettingsSerializer,
)
from goals.annotations.serializers import AnnotationSerializer
from goals.serializers import GoalSerializer
from krafter import names
from krafter.openapi import pages
from tests.krafter.test_openapi import schemas


def characters():
    """ASCII, all that separate, control or show nothing, one of each other category."""
    seen = {"Cn", "Co"}
    for character in map(chr, range(sys.maxunicode + 1)):
        category = unicodedata.category(character)
        is_listed = category in {"Cc", "Cf", "Zs", "Zl", "Zp"} or character.isascii()
        if is_listed or category not in seen:
            yield character
        seen.add(category)


CHARACTERS = list(characters())
FIELDS: list[tuple[str, str, Any]] = [
    *(("SiteRequest", name, SiteSerializer) for name in ("domain", "name")),
    *(
        ("PatchedSiteSettingsRequest", name, SiteSettingsSerializer)
        for name in ("allowed_hosts", "excluded_referrers", "excluded_paths")
    ),
    *(("ChannelRequest", name, ChannelSerializer) for name in ("channel", "referrer")),
    *(("TokenRequest", name, TokenSerializer) for name in ("name", "sites")),
    ("AnnotationRequest", "text", AnnotationSerializer),
    *(("GoalRequest", name, GoalSerializer) for name in ("name", "match_value")),
]


def documented(component, name):
    schema = pages.document()["components"]["schemas"][component]["properties"][name]
    return schema.get("items", schema)["pattern"]


def accepts(field, text):
    try:
        field.run_validation(text)
    except ValidationError:
        return False
    return True


def matches(pattern, text):
    """As JSON Schema has it: its white space is not Python's."""
    white_space = (
        "\t\n\v\f\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
    )
    return re.search(pattern.replace(r"\s", white_space).replace("$", r"\Z"), text)


def is_beyond(pattern, character):
    """Whether no pattern of all languages can say that the character is refused."""
    if unicodedata.category(character) == "Cs":
        return True
    is_of_names = pattern not in (r"^[^\x00]*$", r"^[^\x00]*[^\x00\s][^\x00]*$")
    return (
        is_of_names and not character.isascii() and not names.is_name(f"a{character}")
    )


@pytest.mark.parametrize(("component", "name", "serializer"), FIELDS)
def test_field_accepts_what_its_pattern_allows(component, name, serializer):
    pattern = documented(component, name)
    field = serializer().fields[name]
    field = getattr(field, "child", field)
    for character in CHARACTERS:
        for text in (
            character,
            f"{character}a",
            f"a{character}",
            f"a{character}a",
            f"{character}.",
        ):
            is_accepted = accepts(field, text)
            if matches(pattern, text) and not is_beyond(pattern, character):
                assert is_accepted, ascii(text)
            # White space around a text is removed first.
            sent = text.strip(names.WHITE_SPACE) if field.is_trimmed else text
            assert matches(pattern, sent) or not is_accepted, ascii(text)
            if character in sent and is_beyond(pattern, character):
                assert not is_accepted, ascii(text)


def test_patterns_are_of_what_every_language_reads():
    # PHP refuses `\u`, and reads other letters than those of ASCII as bytes.
    patterns = {schema["pattern"] for schema in schemas() if "pattern" in schema}
    assert len(patterns) > 10
    assert [p for p in patterns if r"\u" in p or not p.isascii()] == []
