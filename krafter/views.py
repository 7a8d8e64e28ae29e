"""The base of every API view, and how views read query parameters."""

from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar

from django.db import models
from django.http import HttpRequest
from rest_framework import status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from krafter.answers import Page
from krafter.errors import Details, Invalid, malformed
from krafter.fields import StrictSerializer, shared
from krafter.openapi.operations import Operations
from krafter.parsing import NO_ARRAY, MergePatchParser

_Row = TypeVar("_Row", bound=models.Model)


class ContractViewSet(viewsets.GenericViewSet[_Row]):
    """The base of every API view: order of checks, OPTIONS, 405.

    The contract's order is 401, then 429, then 403. So an unknown key uses up no
    limit, and a key over its limit is told nothing about its scopes.
    """

    # What the OpenAPI document says of the actions.
    operations: ClassVar[Operations] = {}
    # What a body that is an array is told.
    instead_of_array: str = NO_ARRAY

    def get_parsers(self) -> list[Any]:
        parsers: list[Any] = super().get_parsers()
        # There is no request while drf-spectacular makes one up.
        if self.request and self.request.method == "PATCH":
            parsers.append(MergePatchParser())
        return parsers

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        self.format_kwarg = None
        negotiated = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = negotiated
        self.perform_authentication(request)
        self.check_throttles(request)
        self.check_permissions(request)

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """The serializer. A missing body is malformed JSON.

        DRF would treat a missing body as `{}`, so that a PATCH without one would
        appear to succeed.
        """
        if "data" in kwargs and self.request.stream is None:
            raise malformed()
        return super().get_serializer(*args, **kwargs)

    def options(
        self, request: HttpRequest, *args: object, **kwargs: object
    ) -> Response:
        allow = ", ".join(self.allowed_methods)
        return Response(status=status.HTTP_204_NO_CONTENT, headers={"Allow": allow})


def raw_body(request: Request) -> Any:
    """The body as the view's parser returns it. A missing body is malformed JSON."""
    if request.stream is None:
        raise malformed()
    return request.data


def page(request: Request, rows: list[Any], next_cursor: str | None) -> Response:
    """A page of a list, with the URL of the next page in the `Link` header."""
    response = Response(Page(rows, next_cursor))
    if next_cursor is not None:
        asked = request.query_params.copy()
        asked["cursor"] = next_cursor
        response.headers["Link"] = f'<{request.path}?{asked.urlencode()}>; rel="next"'
    return response


def query(serializer: type[StrictSerializer], request: Request) -> dict[str, Any]:
    """The validated query parameters of a request. Raises Invalid (422)."""
    checker = shared(serializer)
    check_parameters(request, checker.fields, getattr(checker, "families", ()))
    return dict(checker.run_validation(request.query_params.dict()))


def check_parameters(
    request: Request, known: Iterable[str], families: tuple[str, ...] = ()
) -> None:
    """Raise Invalid for parameters that are unknown or given more than once.

    `families`: what else a name may begin with.
    """
    known = set(known)
    details: Details = {}
    for name, values in request.query_params.lists():
        if name not in known and not name.startswith(families):
            details[name] = ["Unknown parameter."]
        elif len(values) > 1:
            details[name] = ["Given more than once."]
    if details:
        raise Invalid(details)
