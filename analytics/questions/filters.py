"""Which visitors a question is about: the label parameters of a query.

`country=DE,FR` is any of these, `country=!DE,FR` none of them. `(none)` stands
for an unknown label, and a backslash takes the next character as it is, so
that every label there is can be named.
"""

import re
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from analytics.questions.labels import Labels, Where
from krafter.fields import StrictSerializer

LABELS = Labels._fields
UNKNOWN = "(none)"

_MAX_LENGTH = 4_096
_VALUE = re.compile(r"(?!!)(?:[^\\,]|\\.)+", re.DOTALL)
_VALUES = re.compile(rf"{_VALUE.pattern}(?:,{_VALUE.pattern})*", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parse(label: str, text: str) -> Where:
    """What one parameter asks for. Pure. Raises ValueError."""
    values = text.removeprefix("!")
    if not _VALUES.fullmatch(values):
        raise ValueError(
            "Values separated by commas, none empty; ! only before the first."
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
    """One label parameter; its value is a Where."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        text = super().run_validation(data)
        try:
            return parse(str(self.field_name), text)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None


class FilterQuerySerializer(StrictSerializer):
    """The labels that the visitors of a question must or must not have."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        labels = {
            label: LabelField(
                required=False, trim_whitespace=False, max_length=_MAX_LENGTH
            )
            for label in LABELS
        }
        return {**super().get_fields(), **labels}


def where(validated: Mapping[str, Any]) -> tuple[Where, ...]:
    """The filters among the validated parameters of a query, for a Selection."""
    return tuple(validated[label] for label in LABELS if label in validated)
