"""The API of annotations."""

from typing import ClassVar

from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.access.authentication import site_for
from analytics.access.idempotency import replayable
from goals.annotations import changes, openapi
from goals.annotations.serializers import (
    AnnotationQuerySerializer,
    AnnotationSerializer,
)
from goals.models import Annotation
from krafter.answers import Deletion
from krafter.parsing import uuid_or_404
from krafter.views import ContractViewSet, query


class AnnotationViewSet(ContractViewSet[Annotation]):
    queryset = Annotation.objects.none()
    serializer_class = AnnotationSerializer
    operations = openapi.ANNOTATIONS
    required_scopes: ClassVar = {
        "list": "analytics:read",
        "create": "analytics:write",
        "retrieve": "analytics:read",
        "partial_update": "analytics:write",
        "destroy": "analytics:write",
    }

    def list(self, request: Request, key: str) -> Response:
        found = site_for(request, key).annotations.all()
        asked = query(AnnotationQuerySerializer, request)
        if "from" in asked:
            found = found.filter(day__gte=asked["from"])
        if "to" in asked:
            found = found.filter(day__lte=asked["to"])
        return Response([AnnotationSerializer.show(each) for each in found])

    @replayable
    def create(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        made = changes.create(site, serializer)
        headers = {"Location": f"{request.path}/{made.pk}"}
        return Response(serializer.data, status=201, headers=headers)

    def retrieve(self, request: Request, key: str, id: str) -> Response:
        return Response(AnnotationSerializer.show(_annotation(request, key, id)))

    def partial_update(self, request: Request, key: str, id: str) -> Response:
        found = _annotation(request, key, id)
        serializer = self.get_serializer(found, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        changes.change(serializer)
        return Response(serializer.data)

    def destroy(self, request: Request, key: str, id: str) -> Response:
        changes.delete(_annotation(request, key, id))
        return Response(Deletion(deleted=True))


def _annotation(request: Request, key: str, id: str) -> Annotation:
    """Return the annotation with the id in the path. Raises NotFound."""
    site = site_for(request, key)
    found = site.annotations.filter(id=uuid_or_404(id)).first()
    if found is None:
        raise NotFound
    found.site = site
    return found
