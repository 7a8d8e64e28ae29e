"""The API of sites and their settings."""

from typing import ClassVar

from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.access.authentication import request_token, site_for
from analytics.models import Site
from analytics.sites import changes
from analytics.sites.serializers import SiteSerializer, SiteSettingsSerializer
from krafter.answers import Deletion
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
        changes.create(request_token(request).team, serializer)
        address = f"{request.path}/{serializer.data['site_key']}"
        return Response(serializer.data, status=201, headers={"Location": address})

    def retrieve(self, request: Request, key: str) -> Response:
        return Response(SiteSerializer.show(site_for(request, key)))

    def partial_update(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        serializer = self.get_serializer(site, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        changes.change(serializer)
        return Response(serializer.data)

    def destroy(self, request: Request, key: str) -> Response:
        changes.delete(site_for(request, key))
        return Response(Deletion(deleted=True))


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
        changes.change(serializer)
        return Response(serializer.data)
