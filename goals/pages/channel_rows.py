"""The channel rules of a site in a form: a row of inputs for each rule."""

from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _

from goals.pages.toolbar import LABELS

COLUMNS = {
    "channel": LABELS["channel"],
    "referrer": _("Source or its host"),
    **{name: LABELS[name] for name in ("utm_source", "utm_medium", "utm_campaign")},
}
# Empty rows; after saving, the form has this number of empty rows again.
_SPARE = 2


class ChannelRows(forms.Widget):
    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        """Return the value in the format of the API, without empty cells and rows."""
        columns = [data.getlist(f"{name}.{column}") for column in COLUMNS]
        rows = [
            {column: cell for column, cell in zip(COLUMNS, row, strict=True) if cell}
            for row in zip(*columns, strict=False)
        ]
        return [row for row in rows if row]

    def render(
        self, name: str, value: Any, attrs: Any = None, renderer: Any = None
    ) -> Any:
        rows = [*(value or []), *[{}] * _SPARE]
        cells = [
            [(column, text, row.get(column, "")) for column, text in COLUMNS.items()]
            for row in rows
        ]
        context = {
            "name": name,
            "columns": COLUMNS.values(),
            "rows": cells,
            "described_by": (attrs or {}).get("aria-describedby"),
        }
        return render_to_string("pages/channels.html", context)
