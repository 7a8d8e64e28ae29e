"""Serializers of goals."""

from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta
from rest_framework import serializers

from goals.matching import PatternError, check_pattern
from goals.models import Goal, MatchType
from krafter.fields import NameField, StrictModelSerializer, TextField
from krafter.openapi.operations import reference

# The model's choices, in answers that are made of rules.
GoalTypeText = Annotated[str, Meta(extra_json_schema=reference("GoalType"))]
MatchTypeText = Annotated[str, Meta(extra_json_schema=reference("MatchType"))]


class GoalRule(msgspec.Struct):
    type: GoalTypeText
    match_type: MatchTypeText
    match_value: str


class GoalSerializer(StrictModelSerializer):
    name = NameField()
    # Not trimmed: spaces at the ends are part of the value to match.
    match_value = TextField(max_length=1_024, trim_whitespace=False)

    class Meta:
        model = Goal
        fields: tuple[str, ...] = (
            "id",
            "name",
            "type",
            "match_type",
            "match_value",
            "currency",
        )
        # The model allows "" for the admin; in the API only null means none.
        extra_kwargs: ClassVar = {"currency": {"allow_blank": False}}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Validate the goal as it would be after a PATCH, not the PATCH alone."""
        merged = {
            name: attrs.get(name, getattr(self.instance, name, None))
            for name in ("match_type", "match_value")
        }
        if merged["match_type"] == MatchType.REGEX:
            try:
                check_pattern(str(merged["match_value"]))
            except PatternError as error:
                raise serializers.ValidationError(
                    {"match_value": [f"Not a valid RE2 pattern: {error}"]}
                ) from None
        return attrs
