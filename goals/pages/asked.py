"""The query parameters of a page, with the names of the API's parameters."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpRequest, QueryDict
from rest_framework import serializers

from krafter.errors import Details, Invalid, flat_details
from krafter.fields import StrictSerializer, shared


def asked(serializer: type[StrictSerializer], request: HttpRequest) -> dict[str, Any]:
    """Return the validated query parameters. Raises Invalid, like the API."""
    try:
        return dict(shared(serializer).run_validation(given(request)))
    except serializers.ValidationError as error:
        raise Invalid(flat_details(error.detail)) from None


def given(request: HttpRequest, *, but: str | None = None) -> dict[str, str]:
    """Return the query parameters; only `but` may occur several times.

    Parameters with an empty value, which forms send, are ignored. Raises Invalid.
    """
    details: Details = {}
    found: dict[str, str] = {}
    for name, values in request.GET.lists():
        filled = [value for value in values if value]
        if name == but or not filled:
            continue
        if len(filled) > 1:
            details[name] = ["This parameter was sent more than once."]
        found[name] = filled[0]
    if details:
        raise Invalid(details)
    return found


def with_changes(request: HttpRequest, changes: Mapping[str, str | None]) -> str:
    """Return the query string with these parameters; None removes one."""
    kept = QueryDict(mutable=True)
    for name, values in request.GET.lists():
        # A funnel has a step several times.
        filled = [value for value in values if value]
        if name not in changes and filled:
            kept.setlist(name, filled)
    for name, value in changes.items():
        if value is not None:
            kept[name] = value
    # An address that is only "?" would be another one.
    text = kept.urlencode(safe="/:,*")
    return f"?{text}" if text else "."


def details_of(error: Invalid | serializers.ValidationError) -> Details:
    """Return the API's error messages by field."""
    return error.details if isinstance(error, Invalid) else flat_details(error.detail)


def sentences(error: Invalid | serializers.ValidationError) -> str:
    """Return the error messages in one line, for pages that do not show the fields."""
    return " ".join(text for texts in details_of(error).values() for text in texts)


def refuse(form: forms.Form, error: Invalid | serializers.ValidationError) -> None:
    """Add the API's error messages to the form."""
    for path, texts in details_of(error).items():
        name, _, entry = path.partition(".")
        number, _, part = entry.partition(".")
        where = f"{int(number) + 1}. " if number.isdigit() else ""
        where += f"{part}: " if part else ""
        for text in texts:
            form.add_error(name if name in form.fields else None, f"{where}{text}")
