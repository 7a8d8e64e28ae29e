"""API keys: create, show the secret once, revoke.

The secret appears in only one response body. It is not stored in the session, in
messages, URLs, the admin history or logs.
"""

from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.contrib.filters.admin import RadioFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from analytics.access import keys, tokens
from analytics.access.roles import Deed
from analytics.access.serializers import TokenSerializer, acting_for
from analytics.admin.confirmed_actions import ConfirmedAction, ConfirmedActionAdmin
from analytics.admin.of_teams import TeamFilter
from analytics.admin.serializer_forms import SerializerForm
from analytics.admin.site_fields import SitesField
from analytics.models import ApiToken


class KeyForm(SerializerForm):
    serializers = (TokenSerializer,)

    def serializer_context(self) -> dict[str, Any]:
        return acting_for(self.cleaned_data.get("team") or self.instance.team)


class NewKeyForm(KeyForm):
    scopes = forms.MultipleChoiceField(
        choices=[(name, f"{name}: {text}") for name, text in tokens.SCOPES.items()],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Each scope is separate: write does not include read.",
    )
    sites = SitesField(
        required=False,
        help_text="If none is chosen: all sites of the team, including future ones.",
    )

    class Meta:
        help_texts: ClassVar = {"expires_at": "In UTC. Empty: the key never expires."}

    def clean_scopes(self) -> list[str]:
        chosen: list[str] = self.cleaned_data["scopes"]
        if refusal := tokens.refusal_of(chosen):
            raise forms.ValidationError(refusal)
        return chosen

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        team = cleaned.get("team")
        if team and keys.is_full(team):
            self.add_error(None, str(keys.TooManyKeys()))
        return cleaned

    def clean_sites(self) -> Any:
        chosen, team = self.cleaned_data["sites"], self.cleaned_data.get("team")
        foreign = [site.domain for site in chosen if team and site.team_id != team.pk]
        if foreign:
            raise forms.ValidationError(f"Not of {team}: {', '.join(foreign)}.")
        return chosen

    def as_sent(self) -> dict[str, Any]:
        keys = [site.site_key for site in self.cleaned_data["sites"]]
        return {**self.cleaned_data, "sites": keys or None}


class StateFilter(RadioFilter):
    title = "state"
    parameter_name = "state"

    def lookups(
        self, request: HttpRequest, model_admin: object
    ) -> list[tuple[str, str]]:
        return [
            ("usable", "Usable"),
            ("soon", "Expires within 30 days"),
            ("expired", "Expired"),
            ("revoked", "Revoked"),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        now = timezone.now()
        match self.value():
            case "usable":
                return queryset.usable(now)
            case "soon":
                return queryset.usable(now).filter(expires_at__lte=now + keys.SOON)
            case "expired":
                return queryset.filter(expires_at__lte=now, revoked_at=None)
            case "revoked":
                return queryset.exclude(revoked_at=None)
        return queryset


def _revoke(key: ApiToken) -> str | None:
    return None if keys.revoke(key) else f"{key} has already been revoked."


def _revoke_with_made(key: ApiToken) -> str | None:
    keys.revoke(key, with_made=True)
    return None


REVOCATION = ConfirmedAction(
    "revoke",
    "revoked",
    "Requests with a revoked key are refused at once. It cannot be brought back;"
    " issue a new one instead.",
    Deed.MANAGE_KEYS,
    _revoke,
    records=True,
)


REVOCATION_WITH_MADE = REVOCATION._replace(
    consequence="The key and all keys that it made, and that those made, are refused at"
    " once. They cannot be brought back.",
    act=_revoke_with_made,
)
ROTATION = ConfirmedAction(
    "rotate",
    "rotated",
    "A new key with the same rights is shown on the next page, once. The old one works"
    " for another day, so that its users can be told; revoke it if it has leaked.",
    Deed.MANAGE_KEYS,
    # Done by `KeyAdmin`, which shows the secret.
    lambda key: None,
    "primary",
)
ROTATION_AT_ONCE = ROTATION._replace(
    consequence="A new key with the same rights is shown on the next page, once. The"
    " old one is refused at once.",
    button="danger",
)


@admin.register(ApiToken)
class KeyAdmin(ConfirmedActionAdmin):
    audited_as = "key"
    to_view = to_add = to_change = Deed.MANAGE_KEYS
    # A deleted key could no longer be identified by its prefix in logs.
    to_delete = None

    list_display = (
        "name",
        "key_prefix",
        "team",
        "scope_names",
        "site_names",
        "last_used_at",
        "expires_at",
        "state",
    )
    list_filter = (StateFilter, ("team", TeamFilter))
    list_filter_submit = True
    list_select_related = ("team",)
    search_fields = ("name", "key_prefix")
    ordering = ("-pk",)
    autocomplete_fields = ("team",)
    actions = ("revoke_selected",)
    actions_detail: Any = (
        "rotate",
        "rotate_at_once",
        "revoke",
        "revoke_with_made",
    )
    fieldsets = (
        (None, {"fields": ("name",)}),
        (
            "Scopes",
            {"fields": ("team", "scope_names", "site_names", "expires_at")},
        ),
        (
            "Record",
            {
                "fields": (
                    "key_prefix",
                    "state",
                    "created_at",
                    "made_by",
                    "rotates",
                    "last_used_at",
                    "revoked_at",
                    "revoked_by",
                )
            },
        ),
    )
    add_fieldsets: Any = (
        (None, {"fields": ("name", "team", "scopes", "sites", "expires_at")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        return super().get_queryset(request).prefetch_related("sites")

    def get_form(
        self,
        request: HttpRequest,
        obj: object = None,
        change: bool = False,
        **kwargs: Any,
    ) -> Any:
        kwargs["form"] = KeyForm if obj else NewKeyForm
        return super().get_form(request, obj, change, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial = super().get_changeform_initial_data(request)
        return {"expires_at": keys.default_end(), **initial}

    def get_readonly_fields(self, request: HttpRequest, obj: object = None) -> Any:
        # Only the name can be changed. Changing the scopes or sites of a key in
        # use would change its holder's rights without notice; issue a new key and
        # revoke the old one instead.
        if obj is None:
            return ()
        shown = [name for _, options in self.fieldsets for name in options["fields"]]
        return [name for name in shown if name != "name"]

    def has_revoke_permission(self, request: HttpRequest, object_id: str) -> bool:
        key = self.get_object(request, object_id)
        return not key.is_revoked and self.has_change_permission(request, key)

    def has_revoke_made_permission(self, request: HttpRequest, object_id: str) -> bool:
        """Also for a revoked key, whose created keys may be noticed only later."""
        key = self.get_object(request, object_id)
        is_left = not key.is_revoked or keys.made_usable(key)
        return is_left and self.has_change_permission(request, key)

    @admin.action(permissions=["change"], description="Revoke")
    def revoke_selected(
        self, request: HttpRequest, queryset: QuerySet[ApiToken]
    ) -> HttpResponse | None:
        return self.do(request, queryset, REVOCATION)

    @action(  # type: ignore[operator]  # typed as what it makes
        description="Revoke",
        icon="block",
        variant=ActionVariant.DANGER,
        permissions=["revoke"],
    )
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.do_to_one(request, object_id, REVOCATION)

    @action(  # type: ignore[operator]  # the same
        description="Revoke with the keys it created",
        icon="block",
        variant=ActionVariant.DANGER,
        permissions=["revoke_made"],
    )
    def revoke_with_made(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.do_to_one(request, object_id, REVOCATION_WITH_MADE)

    @action(  # type: ignore[operator]  # the same
        description="Rotate", icon="autorenew", permissions=["revoke"]
    )
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for confirmation, then show a new secret. The old one works for another
        day.
        """
        return self._rotate(request, object_id, ROTATION, keys.OVERLAP)

    @action(  # type: ignore[operator]  # the same
        description="Rotate immediately", icon="autorenew", permissions=["revoke"]
    )
    def rotate_at_once(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._rotate(request, object_id, ROTATION_AT_ONCE, timedelta())

    def _rotate(
        self,
        request: HttpRequest,
        object_id: str,
        rotation: ConfirmedAction,
        overlap: timedelta,
    ) -> HttpResponse:
        key = self.get_object(request, object_id)
        if "confirmed" not in request.POST:
            return self.do_to_one(request, object_id, rotation)
        try:
            new, secret = keys.rotate(key, overlap=overlap)
        except keys.TooManyKeys as error:
            self.message_user(request, str(error), messages.ERROR)
            return redirect("admin:analytics_apitoken_change", key.pk)
        self.log_change(request, key, "Rotated.")
        return self._show(request, new, secret)

    def save_model(
        self, request: HttpRequest, obj: Any, form: Any, change: bool
    ) -> None:
        if change:
            obj.save(update_fields=form.changed_data)
            return
        values = form.cleaned_data
        issued, obj.secret = keys.issue(
            team=values["team"],
            name=values["name"],
            scopes=values["scopes"],
            sites=values["sites"],
            expires_at=values["expires_at"],
        )
        obj.pk = issued.pk
        obj.refresh_from_db()

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **options: Any
    ) -> HttpResponse:
        # The next page must be the one that shows the secret.
        context |= {"show_save_and_continue": False, "show_save_and_add_another": False}
        return super().render_change_form(request, context, *args, **options)

    def save_related(
        self, request: HttpRequest, form: Any, formsets: Any, change: bool
    ) -> None:
        # `keys.issue` has already stored the sites and kept the deed.
        if change:
            self.record_form(form, change)

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._show(request, obj, obj.secret)

    def _show(self, request: HttpRequest, key: ApiToken, secret: str) -> HttpResponse:
        # No redirect: the secret would have to be stored until the next request.
        # Admin pages are never cached (`never_cache`), and this one replaces its
        # URL, so that a reload does not issue a second key.
        context = {
            **self.admin_site.each_context(request),
            "title": "New API key",
            "opts": self.opts,
            "key": key,
            "secret": secret,
        }
        return TemplateResponse(request, "admin/secret.html", context)

    @display(description="scopes")
    def scope_names(self, key: ApiToken) -> str:
        return ", ".join(key.scopes)

    @display(description="sites")
    def site_names(self, key: ApiToken) -> str:
        if not key.is_narrowed:
            return "all"
        return ", ".join(site.domain for site in key.sites.all()) or "none"

    @display(
        description="state",
        label={
            "usable": "success",
            "expires soon": "warning",
            "expired": "warning",
            "revoked": "danger",
        },
    )
    def state(self, key: ApiToken) -> str:
        return keys.state(key)
