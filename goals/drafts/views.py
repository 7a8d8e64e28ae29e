"""The API of previews and explanations of goals."""

from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from analytics.access.authentication import site_for
from analytics.ingest import payloads, pipeline
from analytics.questions.long_questions import long_question
from analytics.questions.period_query import PeriodQuerySerializer, days
from goals.drafts import openapi
from goals.drafts.drafts import draft, edit
from goals.drafts.explain import explain
from goals.drafts.preview import preview
from goals.lookup import named_goal
from goals.models import Goal
from krafter.errors import Invalid, malformed
from krafter.parsing import RawJSONParser
from krafter.views import ContractViewSet, check_parameters, raw_body

_PERIOD = ("period", "from", "to")


class PreviewViewSet(ContractViewSet[Goal]):
    queryset = Goal.objects.none()
    serializer_class = PeriodQuerySerializer
    operations = openapi.PREVIEW
    # A POST because it has a body; it changes nothing.
    required_scopes: ClassVar = {"preview": "analytics:read"}

    @long_question()
    def preview(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        check_parameters(request, ())
        fields = dict(request.data)
        period = self.get_serializer(
            data={name: fields.pop(name) for name in _PERIOD if name in fields}
        )
        period.is_valid(raise_exception=True)
        before = None
        if "goal" in fields:
            before = named_goal(site, fields.pop("goal"))
            goal = edit(before, fields)
        else:
            goal = draft(site, fields)
        return Response(preview(goal, days(site, period.validated_data), before))


class ExplainViewSet(ContractViewSet[Goal]):
    queryset = Goal.objects.none()
    parser_classes = (RawJSONParser,)
    operations = openapi.EXPLAIN
    required_scopes: ClassVar = {"explain": "analytics:read"}

    def explain(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        check_parameters(request, ())
        try:
            event_type, name = pipeline.identify(raw_body(request))
        except payloads.Malformed as error:
            raise malformed(str(error)) from None
        except payloads.Rejected as rejected:
            raise Invalid(rejected.details) from None
        return Response(explain(site.goals.undeleted(), event_type, name))
