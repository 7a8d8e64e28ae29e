"""The API of sites and their settings."""

from typing import Any, ClassVar

from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.access.authentication import request_token, site_for
from analytics.ingest import site_lookup
from analytics.models import Site
from analytics.sites.serializers import SiteSerializer, SiteSettingsSerializer
from krafter.answers import Deletion
from krafter.errors import Invalid
from krafter.openapi.operations import Operation
from krafter.views import ContractViewSet


class SiteViewSet(ContractViewSet[Site]):
    queryset = Site.objects.none()
    serializer_class = SiteSerializer
    operations: ClassVar = {"create": Operation(headers=("Location",))}
    required_scopes: ClassVar = {
        "list": "analytics:read",
        "create": "analytics:write",
        "retrieve": "analytics:read",
        "partial_update": "analytics:write",
        "destroy": "analytics:write",
    }

    def list(self, request: Request) -> Response:
        visible = Site.objects.visible_to(request_token(request))
        return Response([SiteSerializer.show(site) for site in visible])

    def create(self, request: Request) -> Response:
        if request_token(request).is_narrowed:
            # It could not reach the site that it makes.
            raise PermissionDenied
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        _save_domain(serializer, team=request_token(request).team)
        address = f"{request.path}/{serializer.data['site_key']}"
        return Response(serializer.data, status=201, headers={"Location": address})

    def retrieve(self, request: Request, key: str) -> Response:
        return Response(SiteSerializer.show(site_for(request, key)))

    def partial_update(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        serializer = self.get_serializer(site, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        _save_domain(serializer)
        site_lookup.forget()
        return Response(serializer.data)

    def destroy(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        site.deleted_at = timezone.now()
        site.save(update_fields=["deleted_at"])
        site_lookup.forget()
        return Response(Deletion(deleted=True))


def _save_domain(serializer: Any, **values: Any) -> None:
    """Save; a domain that another request took meanwhile is a 422 as well."""
    try:
        with transaction.atomic():
            serializer.save(**values)
    except IntegrityError:
        raise Invalid({"domain": ["The team has a site with this domain."]}) from None


class SiteSettingsViewSet(ContractViewSet[Site]):
    queryset = Site.objects.none()
    serializer_class = SiteSettingsSerializer
    required_scopes: ClassVar = {
        "retrieve": "analytics:read",
        "partial_update": "analytics:write",
    }

    def retrieve(self, request: Request, key: str) -> Response:
        return Response(self.get_serializer(site_for(request, key)).data)

    def partial_update(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        serializer = self.get_serializer(site, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        site_lookup.forget()
        return Response(serializer.data)
