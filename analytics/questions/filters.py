"""Filters by labels, paths, names and properties: the syntax of their parameters.

`country=DE,FR` matches either value, `country=!DE,FR` neither. `(none)` matches events
without a value, `path=/blog/*` values that begin with `/blog/`. A backslash escapes the
next character. `props.plan=pro` is a filter by a property; the single parameter `props`
contains any number of them, as `plan=pro&seats=3`.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from rest_framework import serializers

from analytics import countries
from analytics.models import Site
from analytics.questions.labels import (
    ATTRIBUTIONS,
    DEFAULT_ATTRIBUTION,
    DEVICES,
    ENTRY_PATH,
    OF_EVENTS,
    PROPS,
    Filters,
    Labels,
    Where,
)
from analytics.sources import rules_of
from krafter.errors import Invalid
from krafter.fields import ChoiceField, Fields, StrictSerializer, not_a_choice

# Those that are stored, the channel that they are of, and where the visit began. A
# click id says no more.
LABELS = (
    "channel",
    *(label for label in Labels._fields if label != "click_id"),
    ENTRY_PATH,
)
UNKNOWN = "(none)"

_MEANING = (
    "Only visitors with one of these values, separated by commas. A leading `!`"
    " selects visitors with none of them. `(none)` stands for an unknown value."
)
_MAX_LENGTH = 4_096
_MAX_KEY = 1_024
_ESCAPE = r"\\[^\x00]"


def _value(apart: str = "") -> str:
    """Return the pattern of one value: its text or beginning, and the star.

    `apart`: additional characters that must be escaped.
    """
    begins = rf"(?:[^\\,*!{apart}\x00]|{_ESCAPE})"
    return rf"(?:{begins}(?:[^\\,*{apart}\x00]|{_ESCAPE})*\*?|\*)"


_VALUE = _value()
_EACH = re.compile(_VALUE)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parse(label: str, text: str) -> Where:
    """Parse the value of one parameter. Pure. Raises ValueError."""
    if not re.fullmatch(LabelField.pattern.removesuffix("$"), text):
        raise ValueError(
            "Send values separated by commas. None may be empty. An optional ! stands"
            " before the first value, an optional * at the end of each. Escape special"
            " characters by a backslash."
        )
    exact, prefixes = [], []
    for value in _EACH.findall(text.removeprefix("!")):
        if value == UNKNOWN:
            exact.append("")
        elif _ESCAPED.sub("", value).endswith("*"):
            prefixes.append(_ESCAPED.sub(r"\1", value[:-1]))
        else:
            exact.append(_ESCAPED.sub(r"\1", value))
    return Where(label, tuple(exact), text.startswith("!"), tuple(prefixes))


class LabelField(serializers.CharField):
    """A filter parameter; the validated value is a Where."""

    pattern = rf"^!?{_VALUE}(?:,{_VALUE})*$"

    def run_validation(self, data: object = serializers.empty) -> Any:
        return _parsed(str(self.field_name), super().run_validation(data))


def _parsed(label: str, text: str) -> Where:
    try:
        where = parse(label, text)
    except ValueError as error:
        raise serializers.ValidationError(str(error)) from None
    if label == "country":
        _check(where, sorted(countries.codes()), may_be_unknown=True)
    if label == "device":
        _check(where, DEVICES, may_be_unknown=True)
    if label == "name" and "" in where.values:
        raise serializers.ValidationError("Every event has a name.")
    return where


def _check(where: Where, there: Collection[str], *, may_be_unknown: bool) -> None:
    """Raise ValidationError for impossible values."""
    for value in where.values:
        if value not in there and not (may_be_unknown and value == ""):
            raise serializers.ValidationError(not_a_choice(value or UNKNOWN, there))
    for prefix in where.prefixes:
        if not any(each.startswith(prefix) for each in there):
            raise serializers.ValidationError(not_a_choice(f"{prefix}*", there))


class PropsField(serializers.CharField):
    """Filters by properties in one parameter; its value is a tuple of Where."""

    key = rf"(?:[^\\=&\x00]|{_ESCAPE}){{1,{_MAX_KEY}}}"
    values = rf"!?{_value('&')}(?:,{_value('&')})*"
    pattern = rf"^{key}={values}(?:&{key}={values})*$"

    def run_validation(self, data: object = serializers.empty) -> Any:
        text = super().run_validation(data)
        if not re.fullmatch(self.pattern.removesuffix("$"), text):
            raise serializers.ValidationError(
                "Send key=value. Join several with &. Values have the syntax of the"
                " other filters. Escape special characters by a backslash."
            )
        return tuple(
            _parsed(PROPS + _ESCAPED.sub(r"\1", key), values)
            for key, values in re.findall(rf"({self.key})=({self.values})", text)
        )


class FilterQuerySerializer(StrictSerializer):
    """One optional filter parameter for each dimension, and `attribution`.

    `props.` followed by any key is a filter parameter too.
    """

    families = (PROPS,)

    attribution = ChoiceField(
        ATTRIBUTIONS,
        default=DEFAULT_ATTRIBUTION,
        help_text="The source that an event is attributed to: `last` and `first` use"
        " the visitor's latest or first arrival that day, `event` the event's own"
        " labels.",
    )

    def get_fields(self) -> Fields:
        labels = {
            label: LabelField(
                required=False,
                trim_whitespace=False,
                max_length=_MAX_LENGTH,
                help_text=_MEANING,
            )
            for label in (*LABELS, *OF_EVENTS)
        }
        props = PropsField(
            required=False,
            trim_whitespace=False,
            max_length=_MAX_LENGTH,
            help_text="Only events with these properties, such as `plan=pro`. Join"
            " several with `&`. Values have the syntax of the other filters.",
        )
        return {**super().get_fields(), **labels, "props": props}

    def to_internal_value(self, data: Any) -> Any:
        own = {name: text for name, text in data.items() if name.startswith(PROPS)}
        rest = {name: text for name, text in data.items() if name not in own}
        found = super().to_internal_value(rest)
        field = LabelField(trim_whitespace=False, max_length=_MAX_LENGTH)
        wheres, errors = [], {}
        for name, text in own.items():
            field.field_name = name
            try:
                if not len(PROPS) < len(name) <= len(PROPS) + _MAX_KEY or "\0" in name:
                    raise serializers.ValidationError(
                        f"The key must have 1 to {_MAX_KEY} characters without NUL."
                    )
                wheres.append(field.run_validation(text))
            except serializers.ValidationError as error:
                errors[name] = error.detail
        if errors:
            raise serializers.ValidationError(errors)
        return {**found, "props": (*found.get("props", ()), *wheres)}


def filters(validated: Mapping[str, Any], site: Site) -> Filters:
    """Return the filters among validated query parameters, for a Selection.

    Raises Invalid for a channel that the site does not have.
    """
    channel: Where | None = validated.get("channel")
    if channel is not None:
        there = {each.casefold(): each for each in rules_of(site).channels}
        try:
            _check(channel.folded(str.casefold), there, may_be_unknown=False)
        except serializers.ValidationError:
            wrong = [*channel.values, *(f"{each}*" for each in channel.prefixes)]
            message = not_a_choice(", ".join(wrong) or UNKNOWN, there.values())
            raise Invalid({"channel": [message]}) from None
    named = (validated[label] for label in (*LABELS, *OF_EVENTS) if label in validated)
    return Filters((*named, *validated.get("props", ())), validated["attribution"])
