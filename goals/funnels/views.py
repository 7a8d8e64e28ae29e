"""The API of saved funnels."""

from typing import Any, ClassVar

from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.access.authentication import site_for
from analytics.access.idempotency import replayable
from analytics.models import Site
from analytics.questions.long_questions import long_question
from goals.funnels import changes, openapi
from goals.funnels.serializers import SavedFunnelSerializer
from goals.models import SavedFunnel
from goals.reports.funnel_serializers import (
    FunnelQuestionSerializer,
    SavedFunnelQuestionSerializer,
    selection,
)
from goals.reports.funnels import funnel
from krafter.answers import Deletion
from krafter.parsing import uuid_or_404
from krafter.views import ContractViewSet, check_parameters, query


class SavedFunnelViewSet(ContractViewSet[SavedFunnel]):
    queryset = SavedFunnel.objects.none()
    serializer_class = SavedFunnelSerializer
    operations = openapi.SAVED_FUNNELS
    required_scopes: ClassVar = {
        "list": "analytics:read",
        "create": "analytics:write",
        "retrieve": "analytics:read",
        "partial_update": "analytics:write",
        "destroy": "analytics:write",
        "stats": "analytics:read",
    }

    def list(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        check_parameters(request, ())
        return Response(
            [SavedFunnelSerializer.show(each) for each in site.funnels.all()]
        )

    @replayable
    def create(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        made = changes.create(site, self._checked(site, data=request.data))
        headers = {"Location": f"{request.path}/{made.pk}"}
        return Response(SavedFunnelSerializer.show(made), status=201, headers=headers)

    def retrieve(self, request: Request, key: str, id: str) -> Response:
        return Response(SavedFunnelSerializer.show(_funnel(request, key, id)))

    def partial_update(self, request: Request, key: str, id: str) -> Response:
        found = _funnel(request, key, id)
        checked = self._checked(found.site, found, data=request.data, partial=True)
        return Response(SavedFunnelSerializer.show(changes.change(checked)))

    def destroy(self, request: Request, key: str, id: str) -> Response:
        changes.delete(_funnel(request, key, id))
        return Response(Deletion(deleted=True))

    @long_question()
    def stats(self, request: Request, key: str, id: str) -> Response:
        found = _funnel(request, key, id)
        asked = query(SavedFunnelQuestionSerializer, request)
        question = FunnelQuestionSerializer(
            data={"steps": found.steps}, context={"site": found.site}
        )
        question.is_valid(raise_exception=True)
        return Response(
            funnel(
                selection(found.site, asked),
                question.validated_data["steps"],
                found.window_minutes,
                asked.get("dimension"),
            )
        )

    def _checked(self, site: Site, *rows: SavedFunnel, **options: Any) -> Any:
        checked = self.get_serializer(*rows, context={"site": site}, **options)
        checked.is_valid(raise_exception=True)
        return checked


def _funnel(request: Request, key: str, id: str) -> SavedFunnel:
    """Return the funnel with the id in the path. Raises NotFound."""
    site = site_for(request, key)
    found = site.funnels.filter(id=uuid_or_404(id)).first()
    if found is None:
        raise NotFound
    found.site = site
    return found
