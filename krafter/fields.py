"""Serializers and fields that reject unknown keys and other JSON types."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, ClassVar

from django.db import models
from rest_framework import serializers

from krafter import names
from krafter.errors import Details, flat_details

AnyField = serializers.Field[Any, Any, Any, Any]
Fields = dict[str, AnyField]


class _NoCoercion:
    """A field that accepts one JSON type only: `1` is not "1"."""

    accepts: type

    def to_internal_value(self, data: object) -> Any:
        if not isinstance(data, self.accepts):
            self.fail("invalid")  # type: ignore[attr-defined]
        return super().to_internal_value(data)  # type: ignore[misc]


class TextField(_NoCoercion, serializers.CharField):
    """A text, without the white space around it unless `trim_whitespace` is False."""

    accepts = str

    def __init__(self, *, trim_whitespace: bool = True, **options: Any) -> None:
        # DRF would strip control characters too, which the document does not say.
        super().__init__(trim_whitespace=False, **options)
        self.is_trimmed = trim_whitespace

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if self.is_trimmed and isinstance(data, str):
            data = data.strip(names.WHITE_SPACE)
        return super().run_validation(data)


class NameField(TextField):
    """A name in one printable line."""

    # Of what is sent: older names are shown as they are.
    sent_pattern = names.PATTERN

    def __init__(self, *, max_length: int = 255, **options: Any) -> None:
        super().__init__(max_length=max_length, validators=[check_name], **options)


def check_name(text: str) -> None:
    if not names.is_name(text):
        raise serializers.ValidationError(names.MESSAGE)


class FlagField(_NoCoercion, serializers.BooleanField):
    accepts = bool


class NumberField(_NoCoercion, serializers.IntegerField):
    """A whole number. `1.0` is accepted: in JSON it equals `1`."""

    accepts = int

    def to_internal_value(self, data: Any) -> Any:
        is_whole = isinstance(data, float) and data.is_integer()
        return super().to_internal_value(int(data) if is_whole else data)


class ChoiceField(serializers.ChoiceField):
    """Its error lists the valid choices."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            return super().to_internal_value(data)
        except serializers.ValidationError:
            raise serializers.ValidationError(
                not_a_choice(str(data), self.choices), code="invalid_choice"
            ) from None


def not_a_choice(value: str, choices: Iterable[str]) -> str:
    return f'"{value}" is not a valid choice. Choose one of: {", ".join(choices)}.'


class DayField(serializers.DateField):
    """Accepts `YYYY-MM-DD` only. Python also accepts `20260131` and `2026-W05-6`."""

    def to_internal_value(self, value: object) -> Any:
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            self.fail("invalid", format="YYYY-MM-DD")
        return super().to_internal_value(value)


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class _KnownFieldsOnly:
    """Rejects keys that are not fields, so that a typo is an error.

    Read-only fields are accepted and ignored: clients may send whole objects.
    """

    def to_internal_value(self, data: object) -> Any:
        keys = set(data) if isinstance(data, Mapping) else set()
        unknown = keys - set(self.fields)  # type: ignore[attr-defined]
        errors: Details = {key: ["Unknown field."] for key in sorted(unknown)}
        try:
            value = super().to_internal_value(data)  # type: ignore[misc]
        except serializers.ValidationError as error:
            errors |= flat_details(error.detail)
        if errors:
            raise serializers.ValidationError(errors)
        return value


class StrictSerializer(_KnownFieldsOnly, serializers.Serializer[Any]):
    """The base of every serializer that reads input."""

    # What `validate` asks of several fields, as the document says it: JSON Schema.
    of_several_fields: ClassVar[dict[str, Any]] = {}


class StrictModelSerializer(_KnownFieldsOnly, serializers.ModelSerializer[Any]):
    """The same for a model."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: TextField,
        models.TextField: TextField,
        models.BooleanField: FlagField,
    }
    serializer_choice_field = ChoiceField

    def update(self, instance: Any, validated_data: dict[str, Any]) -> Any:
        """Save only the given fields, so that concurrent PATCHes do not collide."""
        for name, value in validated_data.items():
            setattr(instance, name, value)
        if validated_data:
            instance.save(update_fields=list(validated_data))
        return instance

    @classmethod
    def show(cls, row: models.Model) -> dict[str, Any]:
        """Return the row as GET returns it."""
        shown: dict[str, Any] = shared(cls).to_representation(row)
        return shown


@cache
def shared(serializer: type[serializers.BaseSerializer[Any]]) -> Any:
    """Return one serializer for all requests, to render rows and to check values.

    Creating its fields is slow, and they keep no state between two calls.
    """
    return serializer()
