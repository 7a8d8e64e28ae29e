"""Filters by visitor labels: the syntax of their query parameters.

`country=DE,FR` matches either value, `country=!DE,FR` neither. `(none)` matches an
unknown label. A backslash escapes the next character.
"""

import re
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from analytics.questions.labels import Labels, Where
from krafter.fields import Fields, StrictSerializer

LABELS = Labels._fields
UNKNOWN = "(none)"

_MAX_LENGTH = 4_096
_VALUE = re.compile(r"(?!!)(?:[^\\,]|\\.)+", re.DOTALL)
_VALUES = re.compile(rf"{_VALUE.pattern}(?:,{_VALUE.pattern})*", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parse(label: str, text: str) -> Where:
    """Parse the value of one parameter. Pure. Raises ValueError."""
    values = text.removeprefix("!")
    if not _VALUES.fullmatch(values):
        raise ValueError(
            "Give values separated by commas, none of them empty, with an optional ! at"
            " the start."
        )
    return Where(
        label,
        tuple(
            "" if value == UNKNOWN else _ESCAPED.sub(r"\1", value)
            for value in _VALUE.findall(values)
        ),
        negated=text.startswith("!"),
    )


class LabelField(serializers.CharField):
    """A filter parameter; its validated value is a Where."""

    def run_validation(self, data: object = serializers.empty) -> Any:
        text = super().run_validation(data)
        try:
            return parse(str(self.field_name), text)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None


class FilterQuerySerializer(StrictSerializer):
    """One optional filter parameter for each label."""

    def get_fields(self) -> Fields:
        labels = {
            label: LabelField(
                required=False, trim_whitespace=False, max_length=_MAX_LENGTH
            )
            for label in LABELS
        }
        return {**super().get_fields(), **labels}


def where(validated: Mapping[str, Any]) -> tuple[Where, ...]:
    """The filters among validated query parameters, for a Selection."""
    return tuple(validated[label] for label in LABELS if label in validated)
