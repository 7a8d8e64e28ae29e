"""Admin forms that validate with the serializers of the API.

A form may present a value differently (a list as lines of text), but whether the
value is valid is decided by the serializer alone.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget

from analytics.access import roles
from analytics.admin.site_fields import offer_sites
from krafter.fields import StrictModelSerializer


class SerializerForm(forms.ModelForm):  # type: ignore[type-arg]  # takes none at run time
    serializers: ClassVar[tuple[type[StrictModelSerializer], ...]] = ()
    # Who fills it in, and what for: the page of the admin sets them.
    user: ClassVar[roles.Person]
    deed: ClassVar[roles.Deed | None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.deed is not None:
            offer_sites(self, self.user, self.deed)

    def clean(self) -> dict[str, Any]:
        super().clean()
        if not self.errors:
            for serializer in self.serializers:
                self._check(serializer)
        return self.cleaned_data

    def serializer_context(self) -> dict[str, Any]:
        return {}

    def as_sent(self) -> dict[str, Any]:
        """The values as an API request would contain them."""
        return self.cleaned_data

    def _check(self, serializer: type[StrictModelSerializer]) -> None:
        known = {
            name for name, field in serializer().fields.items() if not field.read_only
        }
        checked = serializer(
            None if self.instance._state.adding else self.instance,
            data={k: v for k, v in self.as_sent().items() if k in known},
            context=self.serializer_context(),
            partial=True,
        )
        if checked.is_valid():
            self.cleaned_data.update(checked.validated_data)
        for path, sentences in checked.errors.items():
            name, _, entry = path.partition(".")
            if entry:
                index, _, key = entry.partition(".")
                part = f", {key}" if key not in ("", "non_field_errors") else ""
                where = f"Entry {int(index) + 1}{part}"
                sentences = [f"{where}: {text}" for text in sentences]
            self.add_error(name if name in self.fields else None, sentences)


class RowsField(forms.JSONField):
    """A list of objects, as JSON. Nothing is an empty list."""

    def __init__(self, **options: Any) -> None:
        widget = UnfoldAdminTextareaWidget({"rows": 4})
        super().__init__(required=False, widget=widget, **options)

    def to_python(self, value: Any) -> Any:
        return super().to_python(value) or []


class LinesField(forms.CharField):
    """A list of texts, one per line. Blank lines are ignored."""

    def __init__(self, **options: Any) -> None:
        widget = UnfoldAdminTextareaWidget({"rows": 4})
        # Do not strip: a space at the end of a path is part of the path.
        super().__init__(required=False, strip=False, widget=widget, **options)

    def prepare_value(self, value: Any) -> Any:
        is_list = isinstance(value, Iterable) and not isinstance(value, str)
        return "\n".join(value) if is_list else value

    def to_python(self, value: Any) -> Any:
        # Not splitlines(): it also splits at characters that a path may contain.
        text = (super().to_python(value) or "").replace("\r\n", "\n")
        return [line for line in text.split("\n") if line.strip()]
