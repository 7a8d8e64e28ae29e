"""The API of erasure: for keys that may do everything, which are the owners'."""

from typing import Annotated, Any, ClassVar

import msgspec
from django.db import transaction
from msgspec import Meta
from rest_framework import serializers
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.access import tokens
from analytics.access.authentication import request_token, site_for
from analytics.ingest import shapes
from analytics.lifecycle import deleted_sites, erasure
from analytics.models import Site, Team
from analytics.questions.period_query import FromQuerySerializer
from analytics.questions.periods import Days
from analytics.sites.serializers import SiteSerializer
from krafter.answers import Moment
from krafter.errors import Details
from krafter.fields import ChoiceField, DayField, StrictSerializer, TextField
from krafter.openapi.operations import Operation
from krafter.views import ContractViewSet, check_parameters

MAX_EVENTS = 1_000
MAX_DAYS = 366


class ErasureSerializer(FromQuerySerializer):
    """Events by their `id`, or all events of a `visitor_id` from the day `from` to the
    day `to`, both inclusive.
    """

    of_several_fields: ClassVar = {
        "minProperties": 1,
        "dependentRequired": {
            "visitor_id": ["from", "to"],
            "from": ["visitor_id"],
            "to": ["visitor_id"],
        },
        "dependentSchemas": {"events": {"maxProperties": 1}},
    }

    events = serializers.ListField(
        child=TextField(max_length=shapes.MAX_EVENT_ID, trim_whitespace=False),
        max_length=MAX_EVENTS,
        min_length=1,
        required=False,
    )
    visitor_id = TextField(
        max_length=shapes.MAX_PROP, trim_whitespace=False, required=False
    )
    to = DayField(required=False)

    def validate(self, sent: dict[str, Any]) -> dict[str, Any]:
        if ("events" in sent) == ("visitor_id" in sent):
            raise serializers.ValidationError(
                {"events": ["Send either events or a visitor_id."]}
            )
        if wrong := _wrong_days(sent):
            raise serializers.ValidationError(wrong)
        return sent


def _wrong_days(sent: dict[str, Any]) -> Details:
    """Days are those of a visitor: none for events by their ids."""
    given = [name for name in ("from", "to") if name in sent]
    if "events" in sent:
        return {name: ["Only with a visitor_id."] for name in given}
    if len(given) < 2:
        missing = {"from", "to"}.difference(given)
        return {name: ["Required with a visitor_id."] for name in sorted(missing)}
    if sent["to"] < sent["from"]:
        return {"to": ["Must not be before from."]}
    if Days(sent["from"], sent["to"]).length > MAX_DAYS:
        return {"to": [f"At most {MAX_DAYS} days."]}
    return {}


class ErasureViewSet(ContractViewSet[Site]):
    queryset = Site.objects.none()
    serializer_class = ErasureSerializer
    operations: ClassVar = {
        "erase": Operation(
            summary="Erase events permanently",
            description="Erases events by their `id`, or all events that a server"
            " sent for a `visitor_id` in a range of days, together with their"
            " refunds. Reports reflect the erasure immediately.",
            answer=erasure.Erased,
        ),
    }
    required_scopes: ClassVar = {"erase": tokens.ALL}

    def erase(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        check_parameters(request, ())
        checked = self.get_serializer(data=request.data)
        checked.is_valid(raise_exception=True)
        return Response(erasure.erase(site, checked.validated_data))


class AskedAnswer(msgspec.Struct):
    """The data is erased within two hours. This cannot be undone."""

    erasure_asked_at: Annotated[
        Moment, Meta(description="Time at which the erasure was requested.")
    ]


class DeletedSiteViewSet(ContractViewSet[Site]):
    """Sites within their deletion period."""

    queryset = Site.objects.none()
    serializer_class = SiteSerializer
    operations: ClassVar = {
        "list": Operation(
            id="deleted_sites_list",
            summary="List deleted sites that can be restored",
            errors=(422,),
        ),
        "restore": Operation(
            id="deleted_sites_restore",
            summary="Restore a deleted site",
            body=None,
            errors=(422,),
        ),
        "erase": Operation(
            id="deleted_sites_erase",
            summary="Erase a deleted site early",
            description="Erases the site with all its events, goals and counts within"
            " two hours. The site can no longer be restored.",
            body=None,
            answer=AskedAnswer,
            status=202,
            errors=(422,),
        ),
    }
    required_scopes: ClassVar = {
        "list": tokens.ALL,
        "restore": tokens.ALL,
        "erase": tokens.ALL,
    }

    def list(self, request: Request) -> Response:
        check_parameters(request, ())
        found = deleted_sites.of_team(own_team(request))
        return Response([SiteSerializer.show(site) for site in found])

    def restore(self, request: Request, key: str) -> Response:
        site = _found(deleted_sites.one(own_team(request), key))
        check_parameters(request, ())
        return Response(SiteSerializer.show(deleted_sites.restore(site)))

    def erase(self, request: Request, key: str) -> Response:
        with transaction.atomic():
            site = _found(deleted_sites.locked(own_team(request), key))
            check_parameters(request, ())
            erasure.ask_for_site(site)
        return Response(_asked(site), status=202)


def _asked(row: Site | Team) -> AskedAnswer:
    assert row.erasure_asked_at is not None  # noqa: S101 - it was just asked for
    return AskedAnswer(row.erasure_asked_at.replace(microsecond=0))


def _found(site: Site | None) -> Site:
    if site is None:
        raise NotFound
    return site


def own_team(request: Request) -> Team:
    """The team of the key. Raises PermissionDenied for a narrowed one."""
    token = request_token(request)
    if token.is_narrowed:
        raise PermissionDenied
    return token.team


class TeamErasureSerializer(StrictSerializer):
    """Confirms that the whole team is to be erased."""

    confirm = ChoiceField(
        ("erase",), help_text="Confirms that the whole team is to be erased."
    )


class TeamErasureViewSet(ContractViewSet[Team]):
    queryset = Team.objects.none()
    serializer_class = TeamErasureSerializer
    operations: ClassVar = {
        "erase": Operation(
            id="team_erase",
            summary="Erase the API key's team",
            description="Erases the team with its sites, goals, events, API keys and"
            " memberships. Its sites are hidden and its keys, including this one, and"
            " memberships end immediately. The remaining data is erased within two"
            " hours. This cannot be undone.",
            answer=AskedAnswer,
            status=202,
        ),
    }
    required_scopes: ClassVar = {"erase": tokens.ALL}

    def erase(self, request: Request) -> Response:
        team = own_team(request)
        check_parameters(request, ())
        self.get_serializer(data=request.data).is_valid(raise_exception=True)
        erasure.ask_for_team(team)
        return Response(_asked(team), status=202)
