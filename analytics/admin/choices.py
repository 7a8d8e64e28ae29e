"""Form fields that choose among the live sites, which are grouped by team."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from django.db.models import QuerySet
from django.forms.models import (
    ModelChoiceField,
    ModelChoiceIterator,
    ModelMultipleChoiceField,
)
from unfold.widgets import UnfoldAdminSelect2MultipleWidget, UnfoldAdminSelect2Widget

from analytics.models import Site


class _ByTeam(ModelChoiceIterator):  # type: ignore[type-arg]  # takes none at run time
    def __iter__(self) -> Iterator[Any]:
        if self.field.empty_label is not None:
            yield "", self.field.empty_label
        # Two teams may have sites of the same domain.
        for _, group in groupby(self.queryset, key=lambda site: site.team_id):
            sites = list(group)
            yield sites[0].team.name, [self.choice(site) for site in sites]


def _live_sites() -> QuerySet[Site]:
    in_order = Site.objects.live().order_by("team__name", "team", "domain")
    return in_order.select_related("team")


class SiteField(ModelChoiceField):  # type: ignore[type-arg]  # takes none at run time
    iterator = _ByTeam
    widget = UnfoldAdminSelect2Widget

    def __init__(self, **options: Any) -> None:
        super().__init__(_live_sites(), empty_label="Choose a site", **options)


class SitesField(ModelMultipleChoiceField):  # type: ignore[type-arg]  # takes none at run time
    iterator = _ByTeam
    widget = UnfoldAdminSelect2MultipleWidget

    def __init__(self, **options: Any) -> None:
        super().__init__(_live_sites(), **options)
