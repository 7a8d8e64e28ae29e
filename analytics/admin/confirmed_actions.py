"""Deeds that ask first: one page that names the rows, for one row or for many.

What is done is done on POST only, after the page has said what follows from it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import model_ngettext, unquote
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin


class Deed(NamedTuple):
    verb: str
    past: str
    consequence: str
    act: Callable[[Any], str | None]  # on one row; the reason if it cannot be done
    button: str = "danger"


class DeedAdmin(ModelAdmin):
    # The page that asks names every row, so at most a page of the list.
    list_disable_select_all = True

    def do(
        self, request: HttpRequest, rows: QuerySet[Any], deed: Deed
    ) -> HttpResponse | None:
        """Ask; once that is answered act on each row, and return None."""
        if "confirmed" not in request.POST:
            return self._ask(request, rows, deed)
        done = 0
        for row in rows:
            with transaction.atomic():
                if refusal := deed.act(row):
                    self.message_user(request, refusal, messages.ERROR)
                    continue
                self.log_change(request, row, f"{deed.past.capitalize()}.")
            done += 1
        if done:
            message = f"{self._counted(done)} {deed.past}."
            self.message_user(request, message, messages.SUCCESS)
        return None

    def do_to_one(
        self, request: HttpRequest, object_id: str, deed: Deed
    ) -> HttpResponse:
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        rows = self.get_queryset(request).filter(pk=row.pk)
        changelist = f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"
        return self.do(request, rows, deed) or redirect(changelist)

    def _ask(
        self, request: HttpRequest, rows: QuerySet[Any], deed: Deed
    ) -> TemplateResponse:
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": f"{deed.verb.capitalize()} {self._counted(len(rows))}",
            "opts": self.opts,
            "deed": deed,
            "rows": rows,
            "action": request.POST.get("action"),
            "checkbox_name": ACTION_CHECKBOX_NAME,
            "media": self.media,
        }
        return TemplateResponse(request, "admin/deed.html", context)

    def _counted(self, count: int) -> str:
        return f"{count} {model_ngettext(self.opts, count)}"
