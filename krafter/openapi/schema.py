"""Generates the OpenAPI document from the views and their operations.

Envelope, errors, names and scopes are added here, so that they cannot be forgotten or
differ between operations.
"""

import re
from collections.abc import Iterable
from typing import Any, get_origin

import msgspec
from django.forms import ChoiceField
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.drainage import warn
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import Direction, OpenApiExample
from rest_framework import serializers
from rest_framework.fields import empty

from krafter.answers import Deletion, Page, Whole
from krafter.openapi import errors, structs
from krafter.openapi.operations import Operation, Schema, reference
from krafter.parsing import MergePatchParser

# PostgreSQL stores no NUL, and a text that is blank once trimmed is none. Anchored,
# in words that every language reads: generated clients check patterns themselves.
_TEXT = r"^[^\x00]*$"
_NOT_BLANK = r"^[^\x00]*[^\x00\s][^\x00]*$"

_PATH_PARAMETERS: dict[str, Schema] = {
    "key": {
        "description": "The site's public key.",
        "schema": {"type": "string", "pattern": "^sk_[a-z0-9]{12}$"},
        "example": "sk_abc123def456",
    },
    "id": {
        "schema": {"type": "string", "format": "uuid"},
        "example": "550e8400-e29b-41d4-a716-446655440000",
    },
}
_ACTIONS = {"partial_update": "update", "destroy": "delete"}
# Actions whose request and response are the view's serializer.
_SUMMARIES = {
    "list": "List {many}",
    "create": "Create {one}",
    "retrieve": "Get {one}",
    "partial_update": "Update {one}",
    "destroy": "Delete {one}",
}


class EnvelopeSchema(AutoSchema):
    """Generates one operation of the document from a viewset and its action."""

    view: Any

    def get_operation_id(self) -> str:
        action = _ACTIONS.get(self._action, self._action)
        return self._row.id or f"{self._resource}_{action}"

    def get_tags(self) -> list[str]:
        return [str(self.view.queryset.model._meta.verbose_name_plural)]

    def get_summary(self) -> str:
        if summary := self._row.summary:
            return summary
        if self._action not in _SUMMARIES:
            return self._action.capitalize()
        one = "settings" if self._resource == "settings" else f"a {self._resource[:-1]}"
        return _SUMMARIES[self._action].format(many=self._resource, one=one)

    def get_description(self) -> str:  # type: ignore[override] # as theirs does
        scope = f"Required scope: `{self._scope}`." if self._scope else ""
        return "\n\n".join(filter(None, (self._row.description, scope)))

    def get_auth(self) -> list[Schema]:
        # From 3.1 on, a requirement may name what the bearer's key must grant.
        return [{name: [self._scope] for name in auth} for auth in super().get_auth()]

    def map_parsers(self) -> list[str]:
        # It is taken, and not documented: of an operation with one schema by two names
        # openapi-python-client makes a module that cannot be imported.
        others: list[str] = super().map_parsers()
        return [name for name in others if name != MergePatchParser.media_type]

    def get_override_parameters(self) -> list[Any]:
        query = [self._row.query] if self._row.query else []
        return [*query, *self._row.parameters]

    def get_filter_backends(self) -> list[Any]:
        self.view.filterset_class = self._row.filters
        return [DjangoFilterBackend] if self._row.filters else []

    def get_request_serializer(self) -> Any:
        body = self._row.body
        if body is empty:
            return super().get_request_serializer()
        for part in self._row.parts:
            self._described(part)
        if not isinstance(body, dict):
            return body
        return {
            media_type: content
            if isinstance(content, dict)
            else self._described(content)
            for media_type, content in body.items()
        }

    def get_response_serializers(self) -> Any:
        if answer := self._row.answer:
            return answer if isinstance(answer, dict) else {self._row.status: answer}
        if self._action == "destroy":
            return {200: Deletion}
        return super().get_response_serializers()

    def get_examples(self) -> list[OpenApiExample]:
        if self._action == "destroy":
            return [OpenApiExample("Deleted", {"deleted": True}, response_only=True)]
        answered = self._row.answered
        if answered is None:
            return []
        return [OpenApiExample("Example", answered, response_only=True)]

    @property
    def _action(self) -> str:
        return str(self.view.action)

    @property
    def _resource(self) -> str:
        """`goals` for /sites/{key}/goals/{id}/stats, as for /sites/{key}/goals."""
        words = [part for part in self.path.split("/") if part and part[0] != "{"]
        if words[-1] == self._action:
            words.pop()
        return words[-1]

    @property
    def _row(self) -> Operation:
        row = self.view.operations.get(self._action)
        if row is None and self._action not in _SUMMARIES:
            name = f"{self._action} of {type(self.view).__name__}"
            warn(f"Describe {name} among the view's operations.")
        return row or _UNDESCRIBED

    @property
    def _scope(self) -> str | None:
        return getattr(self.view, "required_scopes", {}).get(self._action)

    def _resolve_path_parameters(self, variables: Iterable[str]) -> list[Schema]:
        return [
            {"in": "path", "name": name, "required": True, **_PATH_PARAMETERS[name]}
            for name in variables
        ]

    def _get_filter_parameters(self) -> list[Schema]:
        parameters: list[Schema] = super()._get_filter_parameters()
        for parameter in parameters:
            field = self._row.filters().form.fields[parameter["name"]]
            if isinstance(field, ChoiceField):
                known: Any = field.choices
                values = [value for value, _ in known if value]
                parameter["schema"] = {"type": "string", "enum": values}
            elif longest := field.max_length:
                parameter["schema"] |= {"maxLength": longest, "pattern": _TEXT}
        return parameters

    def _get_request_body(self, direction: Direction = "request") -> Schema | None:
        body: Schema | None = super()._get_request_body(direction)
        if body and self._row.sent:
            # Written beside the schema: generators cannot read one beside a body.
            name = body["content"]["application/json"]["schema"]["$ref"]
            component = self.registry[name.rpartition("/")[2], "schemas"]
            component.schema["examples"] = [self._row.sent]
        # A PATCH without changes still needs a body: `{}`.
        return body and {**body, "required": True}

    def _get_response_bodies(self, direction: Direction = "response") -> Schema:
        bodies: Schema = super()._get_response_bodies(direction)
        if self.method == "GET":
            bodies["304"] = self._component(
                "responses", "NotModified", errors.NOT_MODIFIED
            )
        for status in self._errors():
            bodies.setdefault(str(status), self._error(status))
        return dict(sorted(bodies.items()))

    def _errors(self) -> set[int]:
        """The errors that this operation can answer with."""
        if not self._scope:
            return set(self._row.errors)
        # 400 is possible everywhere: any query may be too long.
        statuses = {400, 401, 403, 406, 429, 500, 503, *self._row.errors}
        if "{" in self.path:
            statuses |= {404}
        if self.method == "GET":
            statuses |= {412}
        if self._get_request_body():
            statuses |= {413, 415, 422}
        if any(parameter["in"] == "query" for parameter in self._get_parameters()):
            statuses |= {422}
        return statuses

    def _error(self, status: int) -> Schema:
        error = errors.RESPONSES[status]
        content = {
            "schema": self._described(type(error.example)),
            "example": msgspec.to_builtins(error.example),
        }
        response = {
            "description": error.description,
            "headers": self._headers(*error.headers),
            "content": {"application/json": content},
        }
        return self._component("responses", error.name, response)

    def _headers(self, *names: str) -> Schema:
        names = (*errors.USUAL_HEADERS, *names)
        for name in names:
            self._component("headers", name, errors.HEADERS[name])
        return errors.header_references(names)

    def _described(self, type_: object) -> Schema:
        """The schema of a struct, or of a list of one."""
        schema, components = structs.described(type_)
        for name, content in components.items():
            self._component("schemas", name, content)
        return schema

    def _component(self, kind: str, name: str, content: Schema) -> Schema:
        """Return a reference to a component, which is created if it does not exist."""
        component = ResolvedComponent(name=name, type=kind, schema=content, object=name)
        self.registry.register_on_missing(component)
        return dict(component.ref)

    def _get_response_for_code(
        self,
        serializer: object,
        status_code: str,
        media_types: Any = None,
        direction: Direction = "response",
    ) -> Schema:
        is_struct = structs.is_struct(serializer)
        response: Schema = super()._get_response_for_code(
            self._described(serializer) if is_struct else serializer,
            status_code,
            media_types,
            direction,
        )
        answer = get_origin(serializer) or serializer
        response["headers"] = self._headers(*self._own_headers(answer))
        response["description"] = response["description"] or "Success."
        is_whole = isinstance(answer, type) and issubclass(answer, Whole)
        for media_type, media in response.get("content", {}).items():
            if media_type != "application/json":
                media["schema"] = {"type": "string"}
            elif not is_whole:
                self._wrap(media)
        return response

    def _is_list_view(self, serializer: Any = None) -> bool:
        # A response that is described in full is not a list item.
        return self._row.answer is None and super()._is_list_view(serializer)

    def _own_headers(self, answer: object) -> list[str]:
        names = [*self._row.headers]
        if self.method == "GET":
            names.append("ETag")
        if answer is Page:
            names.append("Link")
        return names

    def _wrap(self, media: Schema) -> None:
        """Put a schema and its examples into the envelope."""
        schema = media["schema"]
        inner = schema.get("items", schema).get("$ref", self.get_operation_id())
        name = inner.rpartition("/")[2] + ("List" if "items" in schema else "")
        envelope = {
            "type": "object",
            "properties": {"data": schema},
            "required": ["data"],
        }
        media["schema"] = self._component("schemas", f"{name}Answer", envelope)
        for example in media.get("examples", {}).values():
            example["value"] = {"data": example["value"]}

    def _map_basic_serializer(self, serializer: Any, direction: Direction) -> Schema:
        schema: Schema = super()._map_basic_serializer(serializer, direction)
        if type(serializer).__doc__ is None:
            # Inherited fields are described in the base component.
            schema.pop("description", None)
        if direction == "request":
            schema["additionalProperties"] = False
            if families := getattr(serializer, "families", ()):
                text = {"type": "string"}
                schema["patternProperties"] = {
                    f"^{re.escape(family)}.": text for family in families
                }
            schema |= getattr(serializer, "of_several_fields", {})
        else:
            schema["required"] = [
                name
                for name, field in serializer.fields.items()
                # Optional in requests, but present in every response.
                if isinstance(serializer, serializers.ModelSerializer)
                or field.required
                or field.read_only
            ]
            for content in schema["properties"].values():
                # The request has its own schema.
                content.pop("readOnly", None)
        return schema

    def _insert_field_validators(self, field: Any, schema: Schema) -> None:
        super()._insert_field_validators(field, schema)
        if pattern := getattr(field, "pattern", None):
            schema["pattern"] = pattern

    def _map_serializer_field(
        self, field: Any, direction: Direction, bypass_extensions: bool = False
    ) -> Schema:
        schema: Schema = super()._map_serializer_field(
            field, direction, bypass_extensions
        )
        if direction == "request" and isinstance(field, serializers.CharField):
            # drf-spectacular does this for serializer fields, not for list items.
            self._insert_field_validators(field, schema)
            is_trimmed = getattr(field, "is_trimmed", field.trim_whitespace)
            may_be_blank = field.allow_blank or not is_trimmed
            usual = _TEXT if may_be_blank else _NOT_BLANK
            schema.setdefault("pattern", getattr(field, "sent_pattern", usual))
        if isinstance(field, serializers.ListField) and not field.allow_empty:
            schema["minItems"] = 1
        return schema


_UNDESCRIBED = Operation()


def inline_null(result: Schema, **_: object) -> Schema:
    """drf-spectacular's hook: inline null instead of a component of that name."""
    result["components"]["schemas"].pop("Null", None)
    inlined: Schema = _without(result, reference("Null"))
    return inlined


def _without(node: Any, null: Schema) -> Any:
    if node == null:
        return {"type": "null"}
    if isinstance(node, dict):
        return {name: _without(value, null) for name, value in node.items()}
    if isinstance(node, list):
        return [_without(item, null) for item in node]
    return node
