"""Page for erasing events of a site permanently, by their ids or by `visitor_id`."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods
from rest_framework import serializers

from analytics.access.roles import Deed
from analytics.lifecycle import erasure
from analytics.lifecycle.views import ErasureSerializer
from analytics.models import Site
from goals.pages.access import site_page
from goals.pages.asked import refuse


class ErasureForm(forms.Form):
    """Shows a confirmation page: only its form has `confirmed`."""

    events = forms.CharField(
        label=gettext_lazy("Event ids"),
        help_text=gettext_lazy("The ids that were sent with the events, one per line."),
        widget=forms.Textarea({"rows": 3, "spellcheck": "false"}),
        required=False,
    )
    visitor_id = forms.CharField(
        label=gettext_lazy("Or a visitor_id"),
        help_text=gettext_lazy("The visitor_id that your servers send."),
        required=False,
        strip=False,
    )
    to = forms.CharField(
        label=gettext_lazy("Last day"),
        widget=forms.DateInput(attrs={"type": "date"}),
        required=False,
    )
    field_order = ("events", "visitor_id", "from", "to")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # `from` is a keyword of Python.
        self.fields["from"] = forms.CharField(
            label=_("First day"),
            widget=forms.DateInput(attrs={"type": "date"}),
            required=False,
        )
        self.order_fields(self.field_order)

    def sent(self) -> dict[str, Any]:
        """Return the data in the format of the API, without empty fields."""
        given = {name: self.data.get(name, "") for name in self.fields}
        given = {name: value for name, value in given.items() if value.strip()}
        if "events" in given:
            lines = given["events"].splitlines()
            return {**given, "events": [line for line in lines if line.strip()]}
        return given


@require_http_methods(["GET", "HEAD", "POST"])
@site_page(Deed.ERASE)
def erase_events(request: HttpRequest, site: Site) -> HttpResponseBase:
    context: dict[str, Any] = {"tab": "settings", "site": site}
    if request.method != "POST":
        context["form"] = ErasureForm()
        return render(request, "pages/events_erase.html", context)
    context["form"] = form = ErasureForm(request.POST)
    checked = ErasureSerializer(data=form.sent())
    try:
        checked.is_valid(raise_exception=True)
    except serializers.ValidationError as error:
        refuse(form, error)
        return render(request, "pages/events_erase.html", context, status=422)
    which = checked.validated_data
    if "confirmed" not in request.POST:
        context["which"] = which
        return render(request, "pages/events_erase_sure.html", context)
    erased = erasure.erase(site, which)
    text = ngettext(
        "%(events)d event was erased, with %(refunds)d refunds.",
        "%(events)d events were erased, with %(refunds)d refunds.",
        erased.events,
    )
    counts = {"events": erased.events, "refunds": erased.refunds}
    messages.success(request, text % counts)
    return redirect("site_settings", key=site.site_key)
