"""Admin actions with a confirmation page, for one or several rows.

The page lists the rows and describes the action. Only the POST request of that page
changes anything.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import model_ngettext, unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from analytics.access import audit
from analytics.access.roles import Deed
from analytics.admin.of_teams import OfTeamsAdmin


class ConfirmedAction(NamedTuple):
    verb: str
    past: str
    consequence: str
    deed: Deed
    # Takes one row; returns the reason when the action is not possible.
    act: Callable[[Any], str | None]
    button: str = "danger"
    # `act` keeps the deed in the audit trail.
    records: bool = False


class ConfirmedActionAdmin(OfTeamsAdmin):
    # The confirmation page lists every row: at most one page of the list.
    list_disable_select_all = True

    def do(
        self,
        request: HttpRequest,
        rows: QuerySet[Any],
        confirmed_action: ConfirmedAction,
    ) -> HttpResponse | None:
        """Show the confirmation page; after confirmation, act on each row and return
        None.

        Raises PermissionDenied if the user lacks the permission in the team of a row.
        """
        if not all(self.may(request, confirmed_action.deed, row) for row in rows):
            raise PermissionDenied
        if "confirmed" not in request.POST:
            return self._ask(request, rows, confirmed_action)
        done = 0
        for row in rows:
            with transaction.atomic():
                if refusal := confirmed_action.act(row):
                    self.message_user(request, refusal, messages.ERROR)
                    continue
                self.log_change(request, row, f"{confirmed_action.past.capitalize()}.")
                if not confirmed_action.records:
                    audit.record(f"{self.audited_as}.{confirmed_action.past}", row)
            done += 1
        if done:
            message = f"{self._counted(done)} {confirmed_action.past}."
            self.message_user(request, message, messages.SUCCESS)
        return None

    def do_to_one(
        self, request: HttpRequest, object_id: str, confirmed_action: ConfirmedAction
    ) -> HttpResponse:
        row = self.get_object(request, unquote(object_id))
        rows = self.get_queryset(request).filter(pk=row.pk)
        changelist = f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"
        return self.do(request, rows, confirmed_action) or redirect(changelist)

    def _ask(
        self,
        request: HttpRequest,
        rows: QuerySet[Any],
        confirmed_action: ConfirmedAction,
    ) -> TemplateResponse:
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": f"{confirmed_action.verb.capitalize()} {self._counted(len(rows))}",
            "opts": self.opts,
            "confirmed_action": confirmed_action,
            "rows": [(row, self.told_of(row)) for row in rows],
            "action": request.POST.get("action"),
            "checkbox_name": ACTION_CHECKBOX_NAME,
            "media": self.media,
        }
        return TemplateResponse(request, "admin/confirm_action.html", context)

    def told_of(self, row: Any) -> str:
        """Return additional text about a row for the page."""
        return ""

    def _counted(self, count: int) -> str:
        return f"{count} {model_ngettext(self.opts, count)}"
