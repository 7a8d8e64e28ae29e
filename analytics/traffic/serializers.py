"""Query parameters of the statistics of a site."""

import re
from typing import Any

from rest_framework import serializers

from analytics.questions.filters import FilterQuerySerializer
from analytics.questions.labels import PROPS
from analytics.questions.period_query import (
    CompareQuerySerializer,
    PeriodQuerySerializer,
)
from analytics.traffic.breakdowns import DIMENSIONS
from krafter.fields import ChoiceField


class DimensionsField(serializers.CharField):
    """Names of dimensions, separated by commas.

    In the key of a property, a backslash escapes a comma or another backslash.
    """

    key = r"(?:[^,\\\x00]|\\[^\x00]){1,1024}"
    one = rf"(?:{'|'.join(DIMENSIONS)}|props\.{key})"
    pattern = rf"^{one}(?:,{one})*$"

    def run_validation(self, data: object = serializers.empty) -> Any:
        text = super().run_validation(data)
        if not re.fullmatch(self.pattern.removesuffix("$"), text):
            wrong = (part for part in text.split(",") if not self._is_known(part))
            known = f"{', '.join(DIMENSIONS)}, {PROPS}<key>"
            raise serializers.ValidationError(
                f"No such dimension: {next(wrong, text)}. Any of: {known}."
            )
        parts = _PART.findall(text)
        return list(dict.fromkeys(_ESCAPED.sub(r"\1", part) for part in parts))

    def _is_known(self, part: str) -> bool:
        return part in DIMENSIONS or (part.startswith(PROPS) and part != PROPS)


_PART = re.compile(r"(?:[^,\\]|\\.)+", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class SiteStatsQuerySerializer(
    PeriodQuerySerializer, FilterQuerySerializer, CompareQuerySerializer
):
    dimensions = DimensionsField(
        required=False,
        help_text="Dimensions to break down by, separated by commas. `props.`"
        " followed by a key is a dimension too.",
    )
    include = ChoiceField(
        ("other",),
        required=False,
        help_text="`other`: for each dimension, also return the sum of the values"
        " that are not among its rows.",
    )


class PropsQuerySerializer(PeriodQuerySerializer):
    limit = serializers.IntegerField(
        min_value=1, max_value=1_000, default=100, help_text="Maximum number of keys."
    )
