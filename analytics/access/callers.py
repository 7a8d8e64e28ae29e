"""Look up a request's key, site and rate-limit count, usually in one statement.

Building Django's queries takes longer than running them here, and each request would
need three. The conditions are those of `ApiTokenQuerySet.usable` and
`SiteQuerySet.visible_to`.
"""

from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from django.db import DatabaseError, connection

from analytics.access.throttling import SPEND_SQL
from analytics.models import ApiToken, Site
from analytics.rows import columns
from krafter import faults


class Caller(NamedTuple):
    """A usable key and the requested site; None if the key cannot access the site.

    `used`: the requests of its team in this minute, including this one; None if they
    were not counted here.
    """

    token: ApiToken
    site: Site | None
    used: int | None


def caller(
    digest: str, site_key: str, *, now: datetime, minute: int | None
) -> Caller | None:
    """Return the caller whose secret has this digest; None if no such key is usable.

    `minute`: the minute (since 1970) to count the request in, if that needs no extra
    statement.
    """
    counts = minute is not None and connection.vendor == "postgresql"
    token, site = columns(ApiToken), columns(Site)
    params: list[Any] = [digest, connection.ops.adapt_datetimefield_value(now)]
    if counts:
        params.append(minute)
    try:
        with connection.cursor() as cursor:
            cursor.execute(_sql(counts), [*params, without_nul(site_key)])
            row = cursor.fetchone()
    except DatabaseError as error:
        if not counts or not faults.is_read_only(error):
            raise
        # The database can still be read; the throttle then counts in memory.
        return caller(digest, site_key, now=now, minute=None)
    if row is None:
        return None
    own, rest = row[: len(token)], row[len(token) :]
    is_found = rest[0] is not None
    return Caller(
        token.instance(own),
        site.instance(rest[: len(site)]) if is_found else None,
        rest[len(site)] if counts else None,
    )


def without_nul(text: str) -> str:
    """Return the text without NUL, which PostgreSQL does not accept.

    Compare results with the original text afterwards.
    """
    return text.replace("\0", "")


@cache
def _sql(counts: bool) -> str:
    token, site = (model._meta.db_table for model in (ApiToken, Site))
    narrowed = ApiToken.sites.through._meta.db_table
    return f"""
        WITH token AS (
            SELECT {columns(ApiToken).sql("its")} FROM {token} AS its
            WHERE digest = %s AND revoked_at IS NULL
                AND (expires_at IS NULL OR expires_at > %s)
        )
        {f", spent AS ({SPEND_SQL.format(_OF_TEAM)})" if counts else ""}
        SELECT token.*, {columns(Site).sql("site")}
            {", (SELECT used FROM spent)" if counts else ""}
        FROM token LEFT JOIN {site} AS site
            ON site.site_key = %s AND site.team_id = token.team_id
            AND site.deleted_at IS NULL
            AND (NOT token.is_narrowed OR EXISTS (
                SELECT 1 FROM {narrowed} AS narrowed
                WHERE narrowed.apitoken_id = token.id AND narrowed.site_id = site.id
            ))
    """  # noqa: S608 - names of tables and columns


# The team of the key, in the columns of SPEND_SQL.
_OF_TEAM = "SELECT 'team:' || team_id, %s, 1 FROM token"
