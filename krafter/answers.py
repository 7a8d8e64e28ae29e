"""Answers that do not belong to one app. Pure.

An answer is a struct, which also describes it in the OpenAPI document: see
`krafter.openapi.structs`.
"""

from datetime import datetime
from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta

# A moment as JSON has it: with an offset.
Moment = Annotated[datetime, Meta(tz=True)]

_Item = TypeVar("_Item")


class Whole(msgspec.Struct):
    """The base of answers that are not put into the envelope."""


class Page(Whole, Generic[_Item]):
    data: list[_Item]
    next_cursor: Annotated[
        str | None,
        Meta(description="The `cursor` of the next page. Null on the last page."),
    ]


class Deletion(msgspec.Struct):
    deleted: bool
