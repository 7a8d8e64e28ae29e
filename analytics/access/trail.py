"""The audit trail as the API shows it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from django.db import models
from django.db.models import Q, QuerySet
from msgspec import Meta
from rest_framework import serializers

from analytics.models import ApiToken, AuditEntry, Site
from analytics.questions.event_pages import PageQuerySerializer
from krafter.answers import Moment
from krafter.fields import DayField

# The newest entries of one object.
_CHANGES = 1_000
_ACTION = r"^[a-z_]+\.[a-z_]+$"


class AuditQuerySerializer(PageQuerySerializer):
    action = serializers.RegexField(_ACTION, max_length=64, required=False)
    site = serializers.RegexField(r"^sk_[a-z0-9]{12}$", required=False)

    def get_fields(self) -> dict[str, Any]:
        # `from` is a keyword of Python.
        days = {name: DayField(required=False) for name in ("from", "to")}
        return {**super().get_fields(), **days}


class ActorAnswer(msgspec.Struct):
    type: Literal["user", "key", "command", "service", "nobody"]
    id: Annotated[
        str | None,
        Meta(description="The id of the API key, or the number of the user."),
    ]
    name: Annotated[
        str | None,
        Meta(
            description="The user's name, the API key's prefix, or the command's name."
        ),
    ]


class SubjectAnswer(msgspec.Struct):
    id: str | None
    name: str | None


class AuditEntryAnswer(msgspec.Struct):
    id: UUID
    at: Moment
    action: Annotated[
        str, Meta(description="What was done, as a noun and a verb: goal.changed")
    ]
    actor: ActorAnswer
    via: Literal["api", "mcp", "admin", "page", "command", "service"]
    site: Annotated[
        str | None, Meta(description="The key of the site that was affected.")
    ]
    subject: SubjectAnswer
    changes: Annotated[
        dict[str, Any], Meta(description="The values before and after, by field.")
    ]
    request_id: Annotated[
        str | None, Meta(description="The id of the request, as in `X-Request-ID`.")
    ]


def shown(entry: AuditEntry) -> AuditEntryAnswer:
    return AuditEntryAnswer(
        id=entry.uuid,
        at=entry.at.replace(microsecond=0),
        action=entry.action,
        actor=ActorAnswer(
            entry.actor_type,  # type: ignore[arg-type]  # one of them, from the table
            entry.actor_id or None,
            entry.actor_name or None,
        ),
        via=entry.via,  # type: ignore[arg-type]  # the same
        site=entry.site_key or None,
        subject=SubjectAnswer(entry.subject_id or None, entry.subject_name or None),
        changes=entry.changes,
        request_id=entry.request_id or None,
    )


def listing(
    token: ApiToken,
    asked: Mapping[str, Any],
    *,
    before: tuple[datetime, int] | None,
    limit: int,
) -> Iterator[AuditEntry]:
    """Yield the entries that the key may see, newest first.

    `before`: time and primary key of the last entry seen; only older ones follow.
    """
    found = _visible_to(token)
    if "action" in asked:
        found = found.filter(action=asked["action"])
    if "site" in asked:
        found = found.filter(site_key=asked["site"])
    if first := asked.get("from"):
        found = found.filter(at__gte=_midnight(first))
    if last := asked.get("to"):
        found = found.filter(at__lt=_midnight(last) + timedelta(days=1))
    if before is not None:
        at, pk = before
        # The first condition lets the index scan begin at the page.
        found = found.filter(Q(at__lte=at), Q(at__lt=at) | Q(pk__lt=pk))
    return iter(found.order_by("-at", "-pk")[:limit])


def _visible_to(token: ApiToken) -> QuerySet[AuditEntry]:
    found = AuditEntry.objects.filter(team_id=token.team_id)
    if token.is_narrowed:
        keys = Site.objects.visible_to(token).values_list("site_key", flat=True)
        found = found.filter(site_key__in=list(keys))
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def changes_of(
    action: str, subject: models.Model
) -> Iterator[tuple[datetime, dict[str, list[Any]]]]:
    """Yield the time and the changes of an action on an object, newest first."""
    found = AuditEntry.objects.filter(subject_id=str(subject.pk), action=action)
    rows = found.values_list("at", "changes")[:_CHANGES]
    yield from ((at.replace(microsecond=0), changed) for at, changed in rows)
