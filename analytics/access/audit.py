"""The audit trail: who changed what, when, and by which interface.

An entry has the values before and after. `record` finds the actor itself: the user or
key of the request, else the command or the service. Call it in the transaction of the
change, so that no change is without its entry. Secrets, addresses and contents of
requests are not stored.
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models, transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from analytics.access.callers import without_nul
from analytics.models import ApiToken, AuditEntry, Site, Team
from krafter import clock, faults, request_ids
from krafter.rendering import API_PREFIX

# {field: [before, after]}, with values that JSON can represent.
Changes = Mapping[str, list[Any]]

# The item of a request's environment that holds its API key.
_KEY = "krafter.audited_key"
# A longer value is replaced by its size: sites have lists of up to 100 KB.
_MAX_VALUE_BYTES = 2_000
_MAX_NAME = 255
_MAX_FAILURES_AN_HOUR = 100
# Lists of addresses belong only in the site's settings, and are deleted with them.
_COUNTED = frozenset({"excluded_ips"})
_SECRET = frozenset({"digest", "password", "password1", "password2", "secret", "token"})

_request: ContextVar[HttpRequest | None] = ContextVar("audited_request", default=None)

logger = logging.getLogger(__name__)


class Record(NamedTuple):
    """`action` is a noun and a participle, such as `goal.changed`.

    `subject` is the object of the action: a goal, site, key, team or user; None for the
    installation. Its team and site are derived from it; `team` is for subjects that
    have none, such as users.
    """

    action: str
    subject: models.Model | None = None
    changes: Changes | None = None
    team: Team | int | None = None


class _Actor(NamedTuple):
    type: str
    id: str = ""
    name: str = ""


def record(
    action: str,
    subject: models.Model | None = None,
    *,
    changes: Changes | None = None,
    team: Team | int | None = None,
) -> None:
    """Store one record and log it on commit. See `Record`."""
    record_each([Record(action, subject, changes, team)])


def record_each(records: Iterable[Record]) -> None:
    """Store several records of one request, in as few statements as possible."""
    actor, via = _who()
    request_id = request_ids.current()
    entries = [_entry(each, actor, via, request_id) for each in records]
    AuditEntry.objects.bulk_create(entries, batch_size=500)
    # A change that is rolled back must not be logged.
    transaction.on_commit(lambda: _log(entries))


def record_of_user(action: str, user: Any, changes: Changes | None = None) -> None:
    """Record an action in the trails of all teams of a user, for their owners."""
    found = Team.objects.filter(members=user).values_list("pk", flat=True)
    teams: list[int | None] = [*found]
    record_each(Record(action, user, changes, team) for team in teams or [None])


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    """Return the fields that differ between two states of the same object."""
    return {
        field: [before.get(field), value]
        for field, value in after.items()
        if before.get(field) != value
    }


def made(after: Mapping[str, Any]) -> Changes:
    """Return the fields of a new object that have a value."""
    return changes({}, after)


def values(row: models.Model, fields: Iterable[str]) -> dict[str, Any]:
    """Return the current values of a row's fields, for `changes`."""
    return {field: getattr(row, field) for field in fields}


def key_issued(token: ApiToken) -> None:
    """Record the rights of a new key."""
    sites = [site.site_key for site in token.sites.all()] if token.is_narrowed else None
    about = {**values(token, ("name", "scopes", "expires_at")), "sites": sites}
    record("key.created", token, changes=made(about))


def sign_in_succeeded(*, user: Any, **_: Any) -> None:
    """Receive Django's signal, which every way of signing in sends."""
    with faults.unwritten():
        record_of_user("sign_in.succeeded", user)


def signed_out(*, user: Any, **_: Any) -> None:
    """Receive Django's signal; `user` is None if the browser was signed out already."""
    if user is not None:
        with faults.unwritten():
            record_of_user("session.ended", user)


def sign_in_failed(*, credentials: Mapping[str, Any], **_: Any) -> None:
    """Receive Django's signal.

    A name that no user has is not recorded, because people sometimes type their
    password in that field.
    """
    model: Any = get_user_model()
    name = without_nul(str(credentials.get(model.USERNAME_FIELD, "")))
    user = model._default_manager.filter(**{model.USERNAME_FIELD: name}).first()
    with faults.unwritten():
        _record_failure(user)


def _record_failure(user: Any) -> None:
    """Record a failed sign-in. `user`: None for an unknown name.

    Anyone can cause failures, so each process stores at most a hundred an hour for
    known and for unknown users each. The next stored record has the number of those
    left out.
    """
    failures = _failures[user is not None]
    if (left_out := failures.count()) is None:
        return
    changed = {"not_kept": [0, left_out]} if left_out else None
    if user is None:
        record("sign_in.failed", changes=changed)
    else:
        record_of_user("sign_in.failed", user, changed)


class _Failures:
    """How many failures were stored in this hour, and left out since the last one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hour = self._kept = self._left_out = 0

    def count(self) -> int | None:
        """Count a failure; return how many were left out before it.

        None: leave this one out too.
        """
        hour = int(clock.timestamp()) // 3600
        with self._lock:
            if hour != self._hour:
                self._hour, self._kept = hour, 0
            if self._kept >= _MAX_FAILURES_AN_HOUR:
                self._left_out += 1
                return None
            self._kept += 1
            left_out, self._left_out = self._left_out, 0
            return left_out


_failures = {True: _Failures(), False: _Failures()}


def forget() -> None:
    """Reset the counts of failed sign-ins."""
    _failures.update({True: _Failures(), False: _Failures()})


def purge() -> int:
    """Delete entries older than AUDIT_DAYS; return how many."""
    # Whole days, so that the deletion is recorded only once a day.
    today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    old = AuditEntry.objects.filter(at__lt=today - timedelta(settings.AUDIT_DAYS))
    with transaction.atomic():
        deleted = old.delete()[0]
        if deleted:
            record("audit.expired", changes={"entries": [deleted, 0]})
    return deleted


# Who acts


def noted(request: Any, token: ApiToken) -> None:
    """Set the API key of a request, for records made during it."""
    request.META[_KEY] = token


class AuditMiddleware:
    """Tells `record` the current request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        before = _request.set(request)
        try:
            return self.get_response(request)
        finally:
            _request.reset(before)


def _who() -> tuple[_Actor, str]:
    """Return the actor and the interface."""
    request = _request.get()
    if request is None:
        return _program()
    path = request.path_info
    if path.startswith(API_PREFIX):
        via = "mcp" if path.endswith("/mcp") else "api"
    else:
        via = "admin" if path.startswith("/admin") else "page"
    if (token := request.META.get(_KEY)) is not None:
        return _Actor("key", str(token.uuid), token.key_prefix), via
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        return _Actor("user", str(user.pk), user.get_username()), via
    return _Actor("nobody"), via


def actor_name() -> str:
    """Return the actor as text: a user name, a key's first characters, or a command."""
    actor, _ = _who()
    return (actor.name or actor.type)[:_MAX_NAME]


def acting_key() -> ApiToken | None:
    """Return the key of the request; None without one."""
    request = _request.get()
    return None if request is None else request.META.get(_KEY)


def _program() -> tuple[_Actor, str]:
    """Return the management command as actor, or the service if there is none."""
    program = Path(sys.argv[0]).name if sys.argv else ""
    if program in ("manage.py", "krafter") and len(sys.argv) > 1:
        return _Actor("command", name=sys.argv[1]), "command"
    return _Actor("service", name=program), "service"


# What is kept of it


def _entry(record: Record, actor: _Actor, via: str, request_id: str) -> AuditEntry:
    subject = record.subject
    site = subject if isinstance(subject, Site) else getattr(subject, "site", None)
    return AuditEntry(
        at=clock.now(),
        team_id=_team_id(record, site),
        site_key=site.site_key if site else "",
        actor_type=actor.type,
        actor_id=actor.id,
        actor_name=actor.name[:_MAX_NAME],
        via=via,
        action=record.action,
        subject_id=_id(subject),
        subject_name="" if subject is None else str(subject)[:_MAX_NAME],
        changes={
            field: [_kept(field, value) for value in pair]
            for field, pair in (record.changes or {}).items()
        },
        request_id=request_id,
    )


def _team_id(record: Record, site: Site | None) -> int | None:
    team = record.team if record.team is not None else record.subject
    if isinstance(team, int):
        return team
    if isinstance(team, Team):
        return team.pk
    found = getattr(team, "team_id", None) or getattr(site, "team_id", None)
    return None if found is None else int(found)


def _id(subject: models.Model | None) -> str:
    if subject is None:
        return ""
    for name in ("site_key", "uuid", "pk"):
        if (value := getattr(subject, name, None)) is not None:
            return str(value)
    return ""


def _kept(field: str, value: Any) -> Any:
    """Return the value as JSON, or a placeholder if it is secret, private or long."""
    if field in _SECRET:
        return None if value is None else "(secret)"
    if field in _COUNTED:
        return None if value is None else f"({len(value)} entries)"
    encoded = msgspec.json.encode(value, enc_hook=str)
    if len(encoded) > _MAX_VALUE_BYTES:
        return f"({len(encoded)} bytes)"
    return msgspec.json.decode(encoded)


def _log(entries: Iterable[AuditEntry]) -> None:
    """Log a line for each entry, with names of fields, keys and commands only.

    Names of users and values may be personal, and logs have other readers than the
    trail. With the id in the line, the entry can be found in the trail.
    """
    for entry in entries:
        who = entry.actor_id if entry.actor_type == "user" else entry.actor_name
        logger.info(
            "%s id=%s by=%s:%s via=%s team=%s site=%s fields=%s entry=%s",
            entry.action,
            entry.subject_id or "-",
            entry.actor_type,
            who or "-",
            entry.via,
            entry.team_id or "-",
            entry.site_key or "-",
            ",".join(entry.changes) or "-",
            entry.uuid,
        )
