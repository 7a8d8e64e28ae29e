"""Pages for owners of a team: create, rotate and revoke its API keys."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods
from rest_framework import serializers

from analytics.access import keys, tokens
from analytics.access.roles import Deed
from analytics.access.serializers import TokenSerializer, acting_for
from analytics.models import ApiToken, Team
from analytics.people.views import team_page
from goals.pages.asked import refuse

_SHOWN = 50
# For how many hours the old secret works too.
_OVERLAPS = {
    24: gettext_lazy("After one day"),
    7 * 24: gettext_lazy("After one week"),
    0: gettext_lazy("Immediately, because the key has leaked"),
}


class KeyForm(forms.Form):
    """The values are validated by the API's serializer."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        help_text=gettext_lazy(
            "The program that uses the key, such as “weekly report”."
        ),
        required=False,
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("Scopes"),
        help_text=gettext_lazy("Each scope is separate: write does not include read."),
        choices=[(name, f"{name}: {text}") for name, text in tokens.SCOPES.items()],
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    sites = forms.MultipleChoiceField(
        label=gettext_lazy("Only these sites"),
        help_text=gettext_lazy("None: all sites of the team, including future ones."),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    last_day = forms.DateField(
        label=gettext_lazy("Last day (UTC)"),
        help_text=gettext_lazy("Empty: the key works until it is revoked."),
        widget=forms.DateInput(attrs={"type": "date"}),
        required=False,
    )

    def __init__(self, team: Team, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        sites = team.sites.undeleted().order_by("domain")
        self.fields["sites"].choices = [  # type: ignore[attr-defined]
            (site.site_key, site.domain) for site in sites
        ]
        self._team = team

    def clean_scopes(self) -> list[str]:
        chosen: list[str] = self.cleaned_data["scopes"]
        if refusal := tokens.refusal_of(chosen):
            raise forms.ValidationError(refusal)
        return chosen

    def issued(self) -> tuple[ApiToken, str] | None:
        """Return a new key and its secret; None if the form has errors."""
        if not self.is_valid():
            return None
        checked = TokenSerializer(data=self._sent(), context=acting_for(self._team))
        try:
            checked.is_valid(raise_exception=True)
            return keys.issue(team=self._team, **checked.validated_data)
        except serializers.ValidationError as error:
            refuse(self, error)
        except keys.TooManyKeys as error:
            self.add_error(None, str(error))
        return None

    def _sent(self) -> dict[str, Any]:
        """Return the data in the format of the API."""
        last: date | None = self.cleaned_data["last_day"]
        end = last and datetime.combine(last + timedelta(days=1), time(), UTC)
        return {
            "name": self.cleaned_data["name"],
            "scopes": self.cleaned_data["scopes"],
            "sites": self.cleaned_data["sites"] or None,
            "expires_at": end and end.isoformat(),
        }


@team_page(Deed.MANAGE_KEYS)
@require_http_methods(["GET", "HEAD", "POST"])
def team_keys(request: HttpRequest, team: Team) -> HttpResponse:
    """Show all keys and the form for a new one. The response to it shows the secret
    once.
    """
    if request.method == "POST":
        form = KeyForm(team, request.POST)
        issued = form.issued()
        if issued is not None:
            return _secret(request, team, *issued)
    else:
        end = keys.default_end()
        form = KeyForm(team, initial={"last_day": end and end.date()})
    rows = team.tokens.order_by("-pk").prefetch_related("sites")
    page = Paginator(rows, _SHOWN).get_page(request.GET.get("page"))
    context = {
        "tab": "keys",
        "team": team,
        "form": form,
        "page": page,
        "keys": [(key, keys.state(key)) for key in page],
        "makers": keys.makers_of_unrevoked(page.object_list),
    }
    status = 422 if form.errors else 200
    return render(request, "people/keys.html", context, status=status)


@team_page(Deed.MANAGE_KEYS)
@require_http_methods(["GET", "HEAD", "POST"])
def rotate_key(request: HttpRequest, team: Team, uuid: str) -> HttpResponse:
    """Ask when the old secret stops working, then show a new one."""
    with transaction.atomic():
        key = _locked(team, uuid)
        if key.is_revoked:
            return _revoked_already(request, team, key)
        hours = request.POST.get("overlap_hours", "")
        if hours in map(str, _OVERLAPS):
            try:
                issued = keys.rotate(key, overlap=timedelta(hours=int(hours)))
                return _secret(request, team, *issued)
            except keys.TooManyKeys as error:
                messages.error(request, str(error))
    context = {"tab": "keys", "team": team, "key": key, "overlaps": _OVERLAPS.items()}
    return render(request, "people/key_rotate.html", context)


@team_page(Deed.MANAGE_KEYS)
@require_http_methods(["GET", "HEAD", "POST"])
def revoke_key(request: HttpRequest, team: Team, uuid: str) -> HttpResponse:
    """Revoke a key after confirmation. Keys created with a revoked key can still be
    revoked.
    """
    with transaction.atomic():
        key = _locked(team, uuid)
        made = keys.made_usable(key)
        if key.is_revoked and not made:
            return _revoked_already(request, team, key)
        if request.method == "POST":
            ended = keys.revoke(key, with_made="made" in request.POST)
            done = ngettext("%d key was revoked.", "%d keys were revoked.", ended)
            messages.success(request, done % ended)
            return redirect("team_keys", team=team.pk)
    context = {"tab": "keys", "team": team, "key": key, "made": made}
    return render(request, "people/key_revoke.html", context)


def _revoked_already(request: HttpRequest, team: Team, key: ApiToken) -> HttpResponse:
    """Redirect as after revoking: another user or tab has already revoked the key."""
    messages.info(request, _("The key %s has already been revoked.") % key.name)
    return redirect("team_keys", team=team.pk)


def _locked(team: Team, uuid: str) -> ApiToken:
    """Return a key of the team, locked. Raises Http404."""
    found: ApiToken | None
    found = team.tokens.select_for_update().filter(uuid=uuid).first()
    if found is None:
        raise Http404
    return found


def _secret(
    request: HttpRequest, team: Team, key: ApiToken, secret: str
) -> HttpResponse:
    # No redirect: the secret would have to be kept until the next request.
    context = {"tab": "keys", "team": team, "key": key, "secret": secret}
    return render(request, "people/secret.html", context)
