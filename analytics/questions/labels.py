"""The labels of a visitor, and what a question asks of them. Pure."""

from typing import NamedTuple


class Labels(NamedTuple):
    """The columns of Context, in its order; `""` where unknown."""

    referrer: str = ""
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    country: str = ""
    device: str = ""
    browser: str = ""
    os: str = ""


class Where(NamedTuple):
    """One of the values of a label, or with `negated` none of them."""

    label: str
    values: tuple[str, ...]
    negated: bool = False
