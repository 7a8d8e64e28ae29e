"""Form fields and list filters that choose a site.

Forms offer sites that are not deleted and with which the user may do what the form
does (`offer_sites`), filters offer all that the user may see. Labels include the team,
since two teams may have sites with the same domain.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from django.db.models import QuerySet
from django.forms.models import (
    ModelChoiceField,
    ModelChoiceIterator,
    ModelMultipleChoiceField,
)
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter, RelatedDropdownFilter
from unfold.widgets import UnfoldAdminSelect2MultipleWidget, UnfoldAdminSelect2Widget

from analytics.access import roles
from analytics.access.roles import Deed
from analytics.models import DropCount, Site


class _ByTeam(ModelChoiceIterator):  # type: ignore[type-arg]  # takes none at run time
    def __iter__(self) -> Iterator[Any]:
        if self.field.empty_label is not None:
            yield "", self.field.empty_label
        for _, group in groupby(self.queryset, key=lambda site: site.team_id):
            sites = list(group)
            yield sites[0].team.name, [self.choice(site) for site in sites]


def _sites(user: roles.Person, deed: Deed = Deed.READ) -> Any:
    in_order = roles.sites(user, deed).order_by("team__name", "team", "domain", "pk")
    return in_order.select_related("team")


def _label(site: Site) -> str:
    label = f"{site.domain}, {site.team}"
    return f"{label} (deleted)" if site.deleted_at else label


class SiteField(ModelChoiceField):  # type: ignore[type-arg]  # takes none at run time
    iterator = _ByTeam
    widget = UnfoldAdminSelect2Widget

    def __init__(self, **options: Any) -> None:
        super().__init__(Site.objects.none(), empty_label="Choose a site", **options)


class _SelectSites(UnfoldAdminSelect2MultipleWidget):
    def __init__(self) -> None:
        super().__init__()
        # Django's script would treat the default class as a field that searches
        # on the server.
        self.attrs["class"] = "unfold-admin-autocomplete"


class SitesField(ModelMultipleChoiceField):  # type: ignore[type-arg]  # takes none at run time
    iterator = _ByTeam
    widget = _SelectSites

    def __init__(self, **options: Any) -> None:
        super().__init__(Site.objects.none(), **options)


def offer_sites(form: Any, user: roles.Person, deed: Deed) -> None:
    """Limit the form's fields to the sites for which the user has the permission."""
    for field in form.fields.values():
        if isinstance(field, SiteField | SitesField):
            field.queryset = _sites(user, deed).undeleted()


class SiteFilter(RelatedDropdownFilter):
    def field_choices(
        self, field: Any, request: HttpRequest, model_admin: object
    ) -> Any:
        return [(site.pk, _label(site)) for site in _sites(request.user)]

    def has_output(self) -> bool:
        # Django hides and ignores a filter that has only one choice.
        return True


class SiteNumberFilter(DropdownFilter):
    """For rows that store a site id without a foreign key; it may match no site."""

    title = "site"
    parameter_name = "site_id"

    def lookups(
        self, request: HttpRequest, model_admin: object
    ) -> list[tuple[str, str]]:
        sites = [(str(site.pk), _label(site)) for site in _sites(request.user)]
        if roles.is_operator(request.user):
            sites.insert(0, (str(DropCount.NO_SITE), "Unknown site key"))
        return sites

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        # A value that is not among the choices may not even be a number.
        is_choice = self.value() in dict(self.lookup_choices)
        return queryset.filter(site_id=self.value()) if is_choice else queryset.none()
